"""What the data sets are made with."""
