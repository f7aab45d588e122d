"""The `director` command: one module per noun, loaded when its command is called."""
