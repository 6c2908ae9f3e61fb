"""The features that Xumi brings: one folder each, found by `kernel.modules.discover`."""
