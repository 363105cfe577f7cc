"""Real input for `warehouse demo`: public data sets written in the forms that sources export."""
