"""Widgets of our own on the Line API: they paint only what changed."""
