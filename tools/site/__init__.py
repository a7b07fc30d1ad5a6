"""The built site: served, packed, printed, pictured."""
