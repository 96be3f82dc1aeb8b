"""The demo: the main job, once, in an embedded account, with what was promised and measured."""
