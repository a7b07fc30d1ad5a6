"""What builds the book and what it is made from; the commands are in noxfile.py."""
