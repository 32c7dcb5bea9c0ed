//! Unit tests of the custom resource.
