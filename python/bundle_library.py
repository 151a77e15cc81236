"""Puts a built libeventstore into the wheel when EVENTSTORE_BUNDLE names one.

Such a wheel works on machines where nothing is installed, and says so in its platform tag.
Without the variable the wheel is pure Python and finds an installed library.
"""

import os
import sysconfig

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleLibrary(BuildHookInterface):
    """Adds the library beside the modules, under the name that the package looks for."""

    def initialize(self, version, build_data):
        library = os.environ.get("EVENTSTORE_BUNDLE")
        if not library:
            return
        if not os.path.isfile(library):
            raise FileNotFoundError("EVENTSTORE_BUNDLE: no such file: " + library)
        # A library under its plain name gets the SONAME's: that is what is looked for first.
        name = os.path.basename(library)
        if name.startswith("libeventstore.so"):
            name = "libeventstore.so.0"
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + platform
        build_data["force_include"][os.path.realpath(library)] = "eventstore/" + name
