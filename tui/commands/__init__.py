"""The subcommands, one file a group, loaded by name when called. Only this folder may import anything of ours."""
