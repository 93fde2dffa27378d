"""The spec of a campaign: what it may say, how its file is read, and what is wrong with one."""
