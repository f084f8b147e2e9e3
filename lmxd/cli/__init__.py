"""The command line. A file named like a verb holds its arguments, help and choice of what to do,
and imports the rest when the verb runs; the other files do the work and import freely.
"""
