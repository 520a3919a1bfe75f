"""Read what the platform writes, write what it reads: with the standard library and yaml only.

Everything here is checked before anything heavy is imported, so that a wrong setting is reported within a second.
"""
