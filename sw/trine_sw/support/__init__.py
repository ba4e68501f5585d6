"""Support for everything above: errors, files, processes, signals, tools and plotting."""
