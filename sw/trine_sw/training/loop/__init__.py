"""The training loop: run, update, optimizer, checkpoint, validation and distributed training."""
