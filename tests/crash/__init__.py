"""What is left after a kill, a full disk or a damaged file?"""
