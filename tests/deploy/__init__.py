"""What `deploy/` promises to who installs it, as far as it can be run or read without a cloud."""
