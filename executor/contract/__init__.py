"""What the platform writes, reads and expects: standard library and yaml only.

Everything here is checked before anything heavy is imported, so that a wrong setting is reported within a second.
"""
