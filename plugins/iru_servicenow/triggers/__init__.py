"""Triggers: thin, over ``include.detection``; blocking calls stay out of the triggerer's event loop."""
