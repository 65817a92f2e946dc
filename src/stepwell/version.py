"""The version, in one place: the build reads it from here, and so does `stepwell version`."""

VERSION = "0.1.0"
