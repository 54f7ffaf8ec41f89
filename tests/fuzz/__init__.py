"""Hostile input: every reader of a source, and what opens a release, against damaged and altered small files."""
