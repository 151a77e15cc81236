"""The version of the package; the library has its own, `eventstore.library_version()`."""

__version__ = "0.1.0"
