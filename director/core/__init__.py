"""What the director knows and decides. Pure: values in, values out, time passed in."""
