"""The child process that holds one instance's weights; started by exec, imported by nobody."""
