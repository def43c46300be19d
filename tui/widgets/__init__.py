"""What the screens are made of. The painters here are pure: a view, a size and a palette in, strips out."""
