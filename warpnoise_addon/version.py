"""The add-on's version; a test compares it with the manifest's."""

VERSION = "0.1.0"
