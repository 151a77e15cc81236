//! Unit tests of the redb backend that need its insides.
