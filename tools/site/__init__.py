"""The built site: served, packed, pictured."""
