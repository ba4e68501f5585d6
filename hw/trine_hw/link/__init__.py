"""The board's side of the link: bytes in, frames, commands to the core, replies, bytes out.

The way of a frame: :mod:`.byte_queue`, :mod:`.frame_receiver`, :mod:`.payload_reader`, :mod:`.executor` with
:mod:`.item_reader` and :mod:`.record_writer`, :mod:`.reply_slots`. :mod:`.link` joins them.
"""
