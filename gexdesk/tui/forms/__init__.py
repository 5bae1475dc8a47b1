"""What dialogs ask, as plain state: keys in, lines out, no widget. A pane shows one at a time at the bottom of the desk."""
