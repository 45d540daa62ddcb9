"""The suite's own client, and what can be wrong with one."""
