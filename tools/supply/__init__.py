"""What the layers carry of others, and under which licence. `make sbom` writes it down."""
