"""Feedback Lens: the implicit feedback of chat logs, from raw logs to a report."""
