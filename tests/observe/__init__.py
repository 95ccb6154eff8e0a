"""What operators see of a whole story: that traces tell it, and that nothing secret gets out."""
