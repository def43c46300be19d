"""One file a screen. A screen owns its messages and its style sheet, and asks through `tui.work`."""
