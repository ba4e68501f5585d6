"""Executor of the link's commands, one module for each group of its states."""
