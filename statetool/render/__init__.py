"""Views: pure functions from plans, events, diagnostics and recorded values to text, Markdown and JSON.

Owns every word a person reads about them, and the one place where text from outside is made harmless. It must
not read a clock, a file or the environment, and never decide anything: a view shows what others decided.
"""
