"""`python -m authgate.server` starts the server: the same as `authgate serve`, same options."""

from authgate.cli import serve_main

if __name__ == "__main__":
    serve_main()
