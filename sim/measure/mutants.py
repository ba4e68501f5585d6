"""Single lines of gateware and boards that are broken on purpose, and the tests that must notice each.

``sim/measure/mutate.py`` tries them. The text that a mutant replaces stands exactly once in its file.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTANTS", "TESTS", "Mutant"]

_HW, _BOARDS = "hw/trine_hw", "boards/trine_boards"
_TOKENS = "tests/hw/test_core.py::test_tokens_equal_golden"
_CASES = "tests/hw/test_executor_cases.py::test_"
_STATES = "tests/hw/test_executor_states.py::test_every_reply_and_counter_is_the_board_model_s"
_FRAMES = "tests/hw/test_link_frames.py"
_FOLLOWING = "tests/hw/test_fast_link.py::test_replies_of_frames_that_follow_each_other"
_ROM = "tests/hw/test_column_rom.py"
_CELLS = "tests/hw/test_cells.py::test_cells_equal_model"
_SUMS = "tests/hw/test_lanes.py::test_sums_equal_model"
_SAMPLER = "tests/hw/test_sampler.py::test_gateware_equals_model"
_SPI = "tests/hw/test_spi.py"
_USB = "tests/hw/test_usb.py"
_DATAGRAMS = "tests/hw/test_ethernet.py"
_PADDING = "tests/hw/test_ethernet_padding.py::test_frames_have_the_least_length"
_START = "tests/boards/test_board_top.py::test_a_board_starts_and_answers"
_FAST = f"{_HW}/link/fast"
_ETHERNET = f"{_HW}/link/ethernet"
_LINK = (f"{_STATES}[lstm]", f"{_STATES}[host]")
_GATEWARE = "tests/hw/test_link_gateware.py::"

#: Of each file, the tests that concern it, those first that are soonest done.
TESTS: dict[str, tuple[str, ...]] = {
    f"{_HW}/core/cells/blocks.py": ("tests/hw/test_cell_blocks.py",),
    f"{_HW}/core/cells/base.py": (f"{_CELLS}[options2-3]", f"{_CELLS}[options7-3]"),
    f"{_HW}/primitives/column_rom.py": (
        f"{_ROM}::test_rom_words_are_twos_complement_trits_lane_0_lowest",
        f"{_ROM}::test_word_follows_its_address_by_three_cycles[37-18]",
        f"{_ROM}::test_address_instead_of_the_word_may_wait[37-18]",
    ),
    f"{_HW}/primitives/fanout.py": ("tests/hw/test_fanout.py",),
    f"{_HW}/core/core.py": (
        f"{_TOKENS}[typical-config0-engine0]",
        "tests/hw/test_load_state.py::test_next_token_starts_from_a_loaded_state[7-lstm]",
        "tests/hw/test_core.py::test_generation_equals_golden[1.0-engine2-lstm]",
    ),
    f"{_HW}/primitives/ecp5_block_ram.py": (
        f"{_ROM}::test_initvals_hold_18_bit_words_in_slots_of_20",
        "sim/test_block_ram.py::test_instantiated_contents_equal_inferred_ones[300-19]",
    ),
    f"{_HW}/core/cells/gru.py": (f"{_CELLS}[options7-3]", f"{_CELLS}[options6-3]"),
    f"{_HW}/core/logit_stream.py": (
        f"{_TOKENS}[typical-config3-engine1]",
        f"{_TOKENS}[typical-config0-engine3]",
    ),
    f"{_HW}/core/column_issue.py": (
        f"{_TOKENS}[typical-config0-engine0]",
        f"{_TOKENS}[typical-config4-engine2]",
        "tests/hw/test_core.py::test_generation_equals_golden[1.0-engine1-lstm]",
    ),
    f"{_HW}/core/lanes.py": (f"{_SUMS}[typical-17-1-levels1-lstm]", f"{_SUMS}[typical-10-4-levels1-gru]"),
    f"{_HW}/core/cells/mgu.py": (f"{_CELLS}[options12-3]",),
    f"{_HW}/core/cells/towards.py": (f"{_CELLS}[options12-3]", f"{_CELLS}[options7-3]"),
    f"{_HW}/core/cells/lstm.py": (f"{_CELLS}[options2-3]", f"{_CELLS}[options1-3]"),
    f"{_HW}/core/sampler.py": (f"{_SAMPLER}[300-5-3]", f"{_SAMPLER}[0-12-1]", f"{_SAMPLER}[300-5-1]"),
    f"{_HW}/core/scanner.py": ("tests/hw/test_scanner.py::test_entries_equal_model[37-3-0.5]",),
    f"{_HW}/core/sequencer.py": ("tests/hw/test_sequencer.py",),
    f"{_HW}/core/state_queue.py": ("tests/hw/test_state_queue.py",),
    f"{_HW}/core/state_scanner.py": (
        "tests/hw/test_state_scanner.py::test_entries_equal_model[9-3-5-2-0.5]",
        "tests/hw/test_state_scanner.py::test_entries_equal_model[3-4-1-1-0.5]",
    ),
    f"{_HW}/primitives/skid_buffer.py": ("tests/hw/test_skid_buffer.py",),
    f"{_HW}/core/token_source.py": (
        f"{_TOKENS}[typical-config0-engine6]",
        "tests/hw/test_core.py::test_generation_equals_golden[1.0-engine2-lstm]",
    ),
    f"{_HW}/primitives/byte_fifo.py": (
        "tests/hw/test_byte_fifo.py",
        "sim/formal/test_events.py::test_queue_neither_loses_nor_repeats",
    ),
    f"{_HW}/link/executor/cells.py": (*_LINK, f"{_GATEWARE}test_every_command[levels, fast]"),
    f"{_HW}/link/event_counters.py": ("tests/hw/test_event_counters.py",),
    f"{_HW}/link/executor/executor.py": (*_LINK, f"{_GATEWARE}test_every_command[levels, fast]"),
    f"{_HW}/link/executor/state.py": (*_LINK, f"{_GATEWARE}test_every_command[levels, fast]"),
    f"{_HW}/link/frame_receiver.py": (
        f"{_FRAMES}::test_frames_are_decoded",
        f"{_FRAMES}::test_damaged_frames_are_found_and_the_next_one_is_good",
    ),
    f"{_HW}/link/input_unpacker.py": ("tests/hw/test_input_unpacker.py",),
    f"{_HW}/link/link.py": _LINK,
    f"{_HW}/link/payload_reader.py": (
        f"{_FRAMES}::test_payload_bytes_come_at_their_interval",
        f"{_FRAMES}::test_payload_bytes_are_those_from_there_to_the_frame_s_end",
    ),
    f"{_HW}/link/result_packer.py": ("tests/hw/test_result_packer.py",),
    f"{_HW}/link/reply_cache.py": (f"{_FRAMES}::test_replies_are_encoded_kept_and_sent_again",),
    f"{_HW}/link/executor/reply.py": _LINK,
    f"{_HW}/link/executor/checks.py": (*_LINK, f"{_GATEWARE}test_refusals[quick]"),
    f"{_HW}/link/executor/session.py": (
        *_LINK,
        f"{_GATEWARE}test_sessions_repeats_and_gaps",
        f"{_GATEWARE}test_number_of_the_session_still_open",
    ),
    f"{_HW}/link/executor/tokens.py": (
        *_LINK,
        f"{_GATEWARE}test_generations_go_on_from_the_last_choice[gru]",
    ),
    f"{_HW}/link/spi.py": (
        f"{_SPI}::test_a_frame_leaves_only_once_it_is_whole",
        f"{_SPI}::test_bytes_that_are_offered_at_any_time_are_sent_once",
        f"{_SPI}::test_a_byte_that_is_cut_short_is_dropped_and_counted",
        f"{_SPI}::test_bytes_go_both_ways_without_loss[4]",
    ),
    f"{_HW}/link/usb.py": (
        f"{_USB}::test_a_frame_ends_its_packet",
        f"{_USB}::test_a_link_that_is_busy_holds_the_host_back",
    ),
    f"{_HW}/link/usb_device.py": (
        f"{_USB}::test_data_toggles_begin_anew_with_the_bus",
        f"{_USB}::test_a_host_enumerates_a_serial_port",
    ),
    f"{_HW}/link/uart.py": ("tests/hw/test_uart.py",),
    f"{_HW}/primitives/streaming_fifo.py": ("tests/hw/test_byte_fifo.py",),
    f"{_HW}/link/executor/streaming.py": (
        f"{_GATEWARE}test_generations_go_on_from_the_last_choice[gru, fast]",
    ),
    f"{_HW}/link/executor/replies.py": (f"{_FOLLOWING}[sums-once]",),
    f"{_FAST}/segment_reader.py": (f"{_FOLLOWING}[sums-once]",),
    f"{_FAST}/logit_sums.py": (f"{_FOLLOWING}[sums-once]",),
    f"{_FAST}/top_list.py": ("tests/hw/test_top_list.py",),
    f"{_FAST}/tag_queue.py": (f"{_FOLLOWING}[sums-once]",),
    f"{_FAST}/byte_reader.py": (f"{_FRAMES}::test_payload_bytes_are_those_from_there_to_the_frame_s_end",),
    f"{_FAST}/payload_reader.py": (f"{_FRAMES}::test_payload_bytes_are_those_from_there_to_the_frame_s_end",),
    f"{_FAST}/frame_receiver.py": (
        f"{_FRAMES}::test_frames_are_decoded",
        f"{_FRAMES}::test_damaged_frames_are_found_and_the_next_one_is_good",
    ),
    f"{_FAST}/reply_cache.py": (f"{_FRAMES}::test_replies_are_encoded_kept_and_sent_again",),
    f"{_FAST}/input_unpacker.py": ("tests/hw/test_input_unpacker.py",),
    f"{_FAST}/item_checker.py": ("tests/hw/test_input_unpacker.py",),
    f"{_FAST}/cell_reader.py": ("tests/hw/test_fast_result_packer.py",),
    f"{_FAST}/word_packer.py": ("tests/hw/test_fast_result_packer.py",),
    f"{_FAST}/result_packer.py": ("tests/hw/test_fast_result_packer.py",),
    f"{_FAST}/kept_cells.py": (f"{_GATEWARE}test_every_command[levels, fast]",),
    f"{_BOARDS}/clock/ecp5.py": (
        f"{_START}[ulx3s-7e-06]",
        "tests/boards/test_board_top.py::test_a_lock_that_is_lost_stops_an_ecp5_s_clock_and_is_told",
    ),
    f"{_BOARDS}/clock/ice40.py": (f"{_START}[icebreaker-0]",),
    f"{_BOARDS}/clock/pll.py": (
        f"{_START}[icebreaker-0]",
        "tests/boards/test_board_top.py::test_a_lock_that_is_lost_resets_an_ice40_and_a_gowin[icebreaker]",
    ),
    f"{_ETHERNET}/cobs.py": (
        f"{_DATAGRAMS}::test_cobs_of_datagrams[1-1]",
        f"{_DATAGRAMS}::test_datagrams_of_cobs[1-1]",
        f"{_DATAGRAMS}::test_cobs_of_datagrams[1-0.3]",
    ),
    f"{_ETHERNET}/datagram_store.py": (
        f"{_DATAGRAMS}::test_store_drops_what_is_damaged_or_has_no_room",
        f"{_DATAGRAMS}::test_store_counts_bytes_and_waits",
    ),
    f"{_ETHERNET}/padding.py": (
        _PADDING,
        "tests/hw/test_ethernet_padding.py::test_short_frames_are_received_as_damaged[4]",
    ),
    f"{_ETHERNET}/neighbour.py": (
        "tests/hw/test_ethernet_neighbour.py::test_requests_are_answered_one_after_the_other",
        "tests/hw/test_ethernet_neighbour.py::test_the_latest_sender_is_the_one_to_answer",
    ),
    f"{_ETHERNET}/udp_receiver.py": (
        "tests/hw/test_ethernet_udp_receiver.py::test_each_datagram_has_its_bytes_and_its_verdict",
    ),
    f"{_ETHERNET}/wire.py": (
        "tests/hw/test_ethernet_wire.py::test_a_frame_is_heard_with_any_preamble[0]",
        "tests/hw/test_ethernet_wire.py::test_what_does_not_start_gives_no_frame",
        "tests/hw/test_ethernet_wire.py::test_all_bytes_of_a_frame_go_in_a_row[0]",
    ),
    f"{_ETHERNET}/streams.py": (f"{_DATAGRAMS}::test_frames_are_datagrams_both_ways[clocks0]",),
    f"{_BOARDS}/top.py": (
        f"{_START}[icebreaker-0]",
        f"{_START}[ulx3s-7e-06]",
        "tests/boards/test_board_top.py::test_a_lock_that_is_lost_stops_an_ecp5_s_clock_and_is_told",
    ),
    f"{_BOARDS}/transports/uart.py": (f"{_START}[icebreaker-0]", f"{_START}[ulx3s-7e-06]"),
    f"{_BOARDS}/boards/ulx3s.py": (f"{_START}[ulx3s-7e-06]",),
}


@dataclass(frozen=True)
class Mutant:
    """A line that is broken.

    Parameters
    ----------
    file : from the tree's root
    right, wrong : what is replaced, and by what
    breaks : what goes wrong
    tests : those that are run, if not :data:`TESTS` of the file
    equivalent : why no test can notice it, where none can
    """

    file: str
    right: str
    wrong: str
    breaks: str
    tests: tuple[str, ...] = ()
    equivalent: str = ""

    @property
    def selected(self) -> tuple[str, ...]:
        """The tests that are run."""
        return self.tests or TESTS[self.file]

    @property
    def name(self) -> str:
        """For messages and records."""
        return f"{self.file.rsplit('/', 1)[1]}: {self.breaks}"


def _of(file: str, *mutants: tuple) -> list[Mutant]:
    return [Mutant(file, *each) for each in mutants]


MUTANTS: list[Mutant] = [
    *_of(
        f"{_HW}/core/token_source.py",
        (
            "feed.eq(leaves & (left > 1) & (owed == 1))",
            "feed.eq(leaves & (left > 0) & (owed == 1))",
            "one token too many is fed back",
        ),
        ("flags.reset.eq(0),", "flags.reset.eq(request.reset),", "a token that is fed back starts from zero"),
    ),
    *_of(
        f"{_HW}/core/scanner.py",
        (
            "entry.final.eq(exhausted & ~unfetched),",
            "entry.final.eq(exhausted),",
            "a word's last entry ends the vector",
        ),
        ("(again & first(kept))", "(again & first(given))", "a vector is scanned again from another's words"),
    ),
    *_of(
        f"{_HW}/core/state_scanner.py",
        ("filling ^ (changed | self.put)", "filling ^ changed", "halves are not exchanged by the last group"),
        (
            "left.eq(pending.any().replicate(units))",
            "left.eq((1 << units) - 1)",
            "a vector of zeros has columns",
        ),
    ),
    *_of(
        f"{_HW}/core/column_issue.py",
        ("in_h.eq(self.with_h)", "in_h.eq(1)", "h is summed twice"),
        ("trit.negative.eq(entry.trit.negative)", "trit.negative.eq(0)", "the sign of a column is lost"),
        ("(entry.column + first)", "entry.column", "h's columns are taken from x's words"),
    ),
    *_of(
        f"{_HW}/core/sequencer.py",
        (
            "marker.drop.eq(s.in_head & ~s.h_skip)",
            "marker.drop.eq(s.in_head)",
            "h summed by the head pass is dropped",
        ),
        ("~(has_head & logits_busy)", "1", "logits are overwritten before they have left"),
        (
            "head_pass = s.token.head & (s.token.last | Const(layers > 1))",
            "head_pass = s.token.head & s.token.last",
            "a stack leaves logits for the next step",
        ),
        (
            "(geometry.state_buffer + 1), init=geometry.state_buffer)",
            "(geometry.state_buffer + 1))",
            "no room for states at the start",
        ),
    ),
    *_of(
        f"{_HW}/core/lanes.py",
        ("weight[0] & (weight[1] ^ negative)", "weight[0] & weight[1]", "the sign of the activation is lost"),
        (
            "restart_head.eq(ahead.gates | ahead.head)",
            "restart_head.eq(ahead.head)",
            "head lanes do not start anew after a step",
        ),
        ("second = lane_sum <= lower", "second = lane_sum < lower", "the lower threshold is off by one"),
    ),
    *_of(
        f"{_HW}/core/cells/base.py",
        ("(steps != 0)", "(steps > 1)", "h needs twice its threshold"),
        ("Mux(new[-1], -1, 1)", "Mux(new[-1], 1, -1)", "h has the wrong sign"),
    ),
    *_of(
        f"{_HW}/core/cells/lstm.py",
        ("half = (old + old[-1]) >> 1", "half = old >> 1", "half of a negative state is rounded down"),
        ("Mux(total < -c_max, -c_max, total)", "total", "the state is not saturated below"),
        (
            "with m.If(fresh | ~(given.f_half | given.f_full)):",
            "with m.If(~(given.f_half | given.f_full)):",
            "a reset keeps the state",
        ),
    ),
    *_of(
        f"{_HW}/core/cells/gru.py",
        ("given.z_half ^ given.z_full,", "given.z_half,", "a state that is kept is halved"),
    ),
    *_of(
        f"{_HW}/core/cells/mgu.py",
        ("fresh | taken", "taken", "a reset keeps the state"),
        ("Mux(taken, n_up, x_up)", "Mux(moves, n_up, x_up)", "h counts where half of the way is gone"),
    ),
    *_of(
        f"{_HW}/core/cells/towards.py",
        ("half = (total + total[-1]) >> 1", "half = total >> 1", "half of a negative sum is rounded down"),
    ),
    *_of(
        f"{_HW}/core/cells/blocks.py",
        (
            "cells.load.shift.eq(load.cells.shift & turn[index])",
            "cells.load.shift.eq(load.cells.shift)",
            "all blocks are loaded at once",
        ),
        ("self.put[index].eq(0)", "self.put[index].eq(cells.o_valid)", "a loaded state is answered"),
        (
            "sizes[-1] - 1, Const(sizes[0] - 1",
            "sizes[0] - 1, Const(sizes[0] - 1",
            "the short block is loaded beyond its end",
        ),
    ),
    *_of(
        f"{_HW}/primitives/fanout.py",
        ("init >> bit & 1", "init & 1", "the start value is one bit's"),
        ("i_DI=value[bit]", "i_DI=value[0]", "every bit is the first"),
    ),
    *_of(
        f"{_HW}/primitives/column_rom.py",
        ("range(self.latency - 1):", "range(self.latency - 2):", "words come a cycle early"),
        ("[contents != 0, contents < 0]", "[contents != 0, contents > 0]", "weights have the wrong sign"),
    ),
    *_of(
        f"{_HW}/primitives/ecp5_block_ram.py",
        ("(word & 0x3FFFF, word >> 18)", "(word >> 18, word & 0x3FFFF)", "halves of a word are exchanged"),
    ),
    *_of(
        f"{_HW}/core/logit_stream.py",
        ("final.eq(self.group == final_group)", "final.eq(1)", "every group ends its token"),
    ),
    *_of(
        f"{_HW}/core/sampler.py",
        ("winner > best", "winner >= best", "the last of equals is chosen"),
        ("state.eq(seeded(self.seed))", "state.eq(self.seed)", "the seed is loaded as it is"),
        (
            "Mux(self.i.payload.last, steps(state, final), steps(state, self.ways))",
            "steps(state, self.ways)",
            "the generator goes on too far at a token's end",
        ),
    ),
    *_of(
        f"{_HW}/core/state_queue.py",
        ("waits.eq(waits & put)", "waits.eq(0)", "a beat put behind one that waits is lost"),
    ),
    *_of(
        f"{_HW}/primitives/skid_buffer.py",
        ("waits.eq(waits | self.i.valid)", "waits.eq(0)", "what comes under a stall is lost"),
        ("with m.If(~waits):", "with m.If(1):", "what waits is overwritten"),
    ),
    *_of(
        f"{_HW}/core/core.py",
        (
            "since.eq(Mux(left | (inside == 0), 1, since + 1))",
            "since.eq(Mux(left | (inside == 0), 0, since + 1))",
            "a token's cycles are one too few",
        ),
    ),
    *_of(
        f"{_HW}/primitives/byte_fifo.py",
        ("~put & ~put_before & ~held[bits]", "~put & ~held[bits]", "a byte too many is taken"),
        ("self.depth.bit_length() - 1", "self.depth.bit_length() - 2", "the queue is half as deep"),
    ),
    *_of(
        f"{_HW}/link/frame_receiver.py",
        (
            "zero_pending.eq(byte != LONGEST_BLOCK)",
            "zero_pending.eq(1)",
            "a zero is put behind a full block",
        ),
        (
            "whole = ~wrong & (left == 0) & crc.match_detected",
            "whole = ~wrong & (left == 0)",
            "the check sum is not looked at",
        ),
    ),
    *_of(
        f"{_HW}/link/payload_reader.py",
        (
            "delay.eq(2), running.eq(~last)]",
            "delay.eq(1), running.eq(~last)]",
            "bytes come before the memory shows them",
        ),
        (
            "running.eq(self.at != self.length + HEADER_BYTES)",
            "running.eq(1)",
            "a payload that is empty has bytes",
        ),
    ),
    *_of(
        f"{_HW}/link/input_unpacker.py",
        (
            "complete & (token >= self.codec.info.vocab_size)",
            "complete & (token > self.codec.info.vocab_size)",
            "a token beyond the vocabulary is taken",
        ),
        # ``digit != 3`` would be none: a byte below 243 has no digit above 2, and others are refused.
        ("(digit != 2)", "(digit != 1)", "no trit is +1"),
        (
            "wrong.eq(((count != 0) & wrong) | ",
            "wrong.eq(wrong | ",
            "a wrong vector makes the next ones wrong",
        ),
    ),
    *_of(
        f"{_HW}/link/executor/session.py",
        (
            "(s.session == 0) | (s.frame_session != s.session)",
            "s.frame_session != s.session",
            "session 0 is open at the start",
        ),
        (
            "m.d.sync += age.eq(s.expected - s.sequence - 1)",
            "m.d.sync += age.eq(s.expected - s.sequence)",
            "the oldest reply that is kept is refused",
        ),
        (
            "with m.If(s.refused):\n                    m.d.sync += s.halted.eq(1)",
            "with m.If(0):\n                    m.d.sync += s.halted.eq(1)",
            "a refusal does not halt",
        ),
        (
            "with m.If(s.cached != s.link.window):",
            "with m.If(1):",
            "more replies count as kept than there are slots",
        ),
    ),
    *_of(
        f"{_HW}/link/executor/checks.py",
        ("(length >= 2 + CELL_BYTES) & ~length[0]", "(length >= 2 + CELL_BYTES)", "half a cell is written"),
        (
            's.settled(m, end > info.cells, "beyond")',
            's.settled(m, end > info.cells + 1, "beyond")',
            "a cell beyond the state is read",
        ),
        (
            "(second16 != 0) & (second16 != s.written)",
            "second16 != s.written",
            "a state cannot be begun again",
        ),
        (
            's.settled(m, after > s.link.max_payload, "no_room")',
            's.settled(m, after >= s.link.max_payload, "no_room")',
            "a reply that fits exactly is refused",
            (f"{_CASES}a_reply_as_long_as_a_slot_and_none_that_is_longer",),
        ),
        (
            "magnitude > info.cell_max",
            "magnitude >= info.cell_max",
            "the largest state is refused",
            (f"{_CASES}the_largest_states_and_no_larger_ones_are_written",),
        ),
        ("bad_h &= h != 0", "bad_h &= h == 0", "an output gate may not be shut"),
        ("both = flags[0] & flags[1]", "both = Const(0)", "h and u are both given"),
        (
            "s.fresh.eq(1),\n                *(register",
            "*(register",
            "a session starts from the state of the one before",
            (f"{_CASES}a_session_starts_from_the_zero_state",),
        ),
    ),
    *_of(
        f"{_HW}/link/executor/reply.py",
        (
            "Mux(s.refused, REFUSED | s.reason, DONE | s.code)",
            "Mux(s.refused, REFUSED | s.reason, s.code)",
            "a reply looks like its command",
        ),
        (
            "with m.If(s.counter_index == 2 * len(COUNTERS)):",
            "with m.If(s.counter_index == 2 * len(COUNTERS) - 1):",
            "the last counter is cut",
        ),
    ),
    *_of(
        f"{_HW}/link/executor/tokens.py",
        (
            "Mux(s.flags[1], ports.last_choice, s.token)",
            "s.token",
            "generation does not go on from the last choice",
        ),
        (
            "m.d.sync += [s.fresh.eq(0), s.written.eq(0)]",
            "m.d.sync += s.fresh.eq(0)",
            "a state half written survives a token",
            (f"{_CASES}a_state_half_written_is_given_up",),
        ),
        ("request.reseed.eq(s.flags[0])", "request.reseed.eq(s.flags[1])", "the wrong flag seeds"),
    ),
    *_of(
        f"{_HW}/link/executor/cells.py",
        (
            "byte.eq(Mux(s.fresh, 0, Mux(s.count[0], h, c)))",
            "byte.eq(Mux(s.count[0], h, c))",
            "the state before a reset is read",
        ),
        (
            "m.d.sync += [s.written.eq(0), s.fresh.eq(0)]",
            "m.d.sync += s.written.eq(0)",
            "a state that was written is not started from",
            (f"{_CASES}a_token_starts_from_the_state_that_was_written",),
        ),
        ("there & (stored.h != 0)", "there", "output gates of a loaded state are open"),
    ),
    *_of(
        f"{_HW}/link/executor/state.py",
        # ``fresh`` that starts as 0 would be none: nothing but INFO is done before OPEN, which sets it.
        (
            "write.en.eq(ports.store_en | self.write_cell)",
            "write.en.eq(ports.store_en)",
            "a state that is written is not kept",
            (f"{_CASES}a_token_starts_from_the_state_that_was_written",),
        ),
        (
            "self.counter_index - len(halves)",
            "self.counter_index - len(halves) + 1",
            "halves of the counters are exchanged",
        ),
    ),
    *_of(
        f"{_HW}/link/executor/executor.py",
        (
            "Mux(samples, s.tau, 0)",
            "s.tau",
            "a step's choice is sampled",
            (f"{_CASES}a_step_takes_the_best_after_a_generation_that_was_sampled",),
        ),
    ),
    *_of(
        f"{_HW}/link/result_packer.py",
        (
            "logit.as_unsigned().word_select(part, 8)",
            "logit.as_unsigned().word_select(0, 8)",
            "the high byte of a logit is its low one",
        ),
        ("Mux(cell.h < 0, -position, position)", "position", "levels lose their sign"),
        (
            "p.byte.eq(Cat(p.byte[1:], p.code.as_unsigned().bit_select(p.bit, 1)))",
            "p.byte.eq(Cat(p.code.as_unsigned().bit_select(p.bit, 1), p.byte[1:]))",
            "bits of a level are in another order",
        ),
        (
            "m.d.comb += self.store_en.eq(p.keep)",
            "m.d.comb += self.store_en.eq(1)",
            "cells are kept that are not the last token's",
        ),
        (
            "logit.as_unsigned().word_select(part, 8)",
            "logit.word_select(part, 8)",
            "a signed logit is selected from, which Yosys trims",
            ("tests/boards/test_signed_select.py::test_no_board_selects_from_a_signed_value[icebreaker]",),
        ),
    ),
    *_of(
        f"{_HW}/link/reply_cache.py",
        ("full.eq(code == LONGEST_BLOCK)", "full.eq(0)", "a block is longer than its code"),
        (
            "m.d.comb += put(code_at, code)\n                m.next",
            "m.d.comb += put(code_at, 1)\n                m.next",
            "the last block has the wrong length",
        ),
    ),
    *_of(
        f"{_HW}/link/event_counters.py",
        ("(total[16] & ~upper)", "(total[16] & upper)", "counters do not carry"),
        (
            "Mux(taken[kind], 0, count) + self.events[kind]",
            "Mux(taken[kind], 0, count + self.events[kind])",
            "an event is lost while others are added",
        ),
    ),
    *_of(
        f"{_HW}/link/link.py",
        (
            "Cat(core.tokens, core.cycles, core.columns)",
            "Cat(core.tokens, core.columns, core.cycles)",
            "counters are exchanged",
        ),
        # Without ``& ~hand_over`` it would be none: the core is not ready right after it has taken a request,
        # and the executor does not look.
        (
            "executor.core_i.ready.eq(hand_over)",
            "executor.core_i.ready.eq(core.i.ready)",
            "a request is given up before it is handed over",
        ),
        (
            "executor.lost.eq(self.lost)",
            "executor.lost.eq(self.framing_error)",
            "lost bytes are counted as damaged ones",
            ("tests/hw/test_link_gateware.py::test_what_wire_and_clock_tell_is_counted",),
        ),
    ),
    *_of(
        f"{_HW}/primitives/streaming_fifo.py",
        ("~(level[bits] | level[:bits].all())", "~level[bits]", "a byte too many is taken by the fast queue"),
        ("(level[0] & ~fetch)", "level[0]", "a byte leaves the fast queue twice"),
    ),
    *_of(
        f"{_HW}/link/executor/streaming.py",
        (
            "Mux(s.flags[1], ports.last_choice, s.token)",
            "s.token",
            "generation does not go on from the last choice with the fast codec",
        ),
        (
            "(item.last | item.closes | s.want.h | s.want.u | s.want.cycles)",
            "1",
            "each token has a pass for its logits",
            (f"{_GATEWARE}test_every_command[levels, fast]",),
        ),
    ),
    *_of(
        f"{_HW}/link/executor/replies.py",
        (
            "ended.eq((ended | self.ends) & ~taking)",
            "ended.eq(ended | self.ends)",
            "a reply ends with the records that are there",
        ),
    ),
    *_of(
        f"{_FAST}/segment_reader.py",
        (
            "first.eq(self.i.payload.byte[7])",
            "first.eq(0)",
            "a sequence goes on from the state that the one before left",
        ),
    ),
    *_of(
        f"{_FAST}/logit_sums.py",
        ("Mux(begins, 0, read.data[n])", "read.data[n]", "the sums of a sequence go on in the next"),
        (
            "write.en.eq(self.i.valid & ~counted)",
            "write.en.eq(self.i.valid)",
            "logits are counted as choices",
        ),
    ),
    *_of(
        f"{_FAST}/top_list.py",
        (
            "candidate.logit > read.data.logit",
            "candidate.logit >= read.data.logit",
            "of equal logits the last symbol comes first",
        ),
        (
            "write.en.eq(there & (place != self.count))",
            "write.en.eq(there)",
            "what falls off the list is written over another entry",
        ),
    ),
    *_of(
        f"{_FAST}/tag_queue.py",
        (
            "read.addr.eq(read.addr + self.take)",
            "read.addr.eq(read.addr)",
            "each token is told of as the first was",
        ),
    ),
    *_of(
        f"{_FAST}/byte_reader.py",
        ("m.d.sync += waits.eq(there[1])", "m.d.sync += waits.eq(0)", "a byte is lost where another is held"),
    ),
    *_of(
        f"{_FAST}/payload_reader.py",
        ("some.eq(left != 0)", "some.eq(1)", "an empty payload has bytes with the fast codec"),
    ),
    *_of(
        f"{_FAST}/frame_receiver.py",
        (
            "zero_pending.eq(byte != LONGEST_BLOCK)",
            "zero_pending.eq(1)",
            "a zero is put behind a full block by the fast codec",
        ),
        ("half.eq(~half)", "half.eq(half)", "a frame is written over the one that is read"),
    ),
    *_of(
        f"{_FAST}/reply_cache.py",
        ("waiting[slot].eq(0), slot", "waiting[slot].eq(1), slot", "a reply is sent again and again"),
    ),
    *_of(
        f"{_FAST}/input_unpacker.py",
        ("(trit & 3) << 2 * k", "(-trit & 3) << 2 * k", "trits have the other sign"),
        ("wrong.eq(bad & ~ends)", "wrong.eq(0)", "a byte that codes no trits is forgotten"),
    ),
    *_of(
        f"{_FAST}/item_checker.py",
        ("(used > room)", "(used >= room)", "a reply that fits exactly is refused by the fast codec"),
        ("Mux(partial, Reason.LENGTH, 0)", "0", "half an item is taken"),
    ),
    *_of(
        f"{_FAST}/cell_reader.py",
        ("self.state_shift.eq(ask & ~ask_final)", "self.state_shift.eq(0)", "all words are the first"),
        ("ends.eq(flush),", "ends.eq(0),", "words are not numbered anew for the next layer"),
    ),
    *_of(
        f"{_FAST}/word_packer.py",
        ("Mux(cell.h < 0, -position, position)", "position", "levels lose their sign in the fast codec"),
        ("Mux(leaves, fill < 16, fill < 8)", "Mux(leaves, fill < 24, fill < 8)", "a word falls upon another"),
    ),
    *_of(
        f"{_FAST}/result_packer.py",
        ("kept, final & (states == 1)))", "kept, final))", "another token's state is kept"),
        ("Mux(decided, kept, final & (states == 1))", "final & (states == 1)", "a state is kept in part"),
        ("cycles_there.eq(want.cycles)]", "cycles_there.eq(0)]", "cycles are not given"),
    ),
    *_of(
        f"{_FAST}/kept_cells.py",
        ("self._changed.eq(1), ", "", "a state that is written is not kept by the fast codec"),
    ),
    *_of(
        f"{_HW}/link/uart.py",
        ("shift.eq(Cat(shift[1:], 1))", "shift.eq(Cat(shift[1:], 0))", "the line is low after the stop bit"),
        ("timer.eq(self.divisor // 2 - 1)", "timer.eq(self.divisor - 1)", "bits are sampled at their end"),
        ("m.d.sync += broken.eq(~line)", "m.d.sync += broken.eq(0)", "a break is many errors"),
        (
            "link.framing_error.eq(receiver.framing_error)",
            "link.framing_error.eq(0)",
            "bytes that came damaged are not counted",
            ("tests/boards/test_board_top.py",),
        ),
    ),
    *_of(
        f"{_HW}/link/spi.py",
        ("(byte != 0) | ~ended", "(byte != 0) | ended", "the zero that ends a frame is taken for filler"),
        ("byte.eq(Cat(data, received))", "byte.eq(Cat(received, data))", "bits come in the wrong order"),
        (
            "self.framing_error.eq(count != 0)",
            "self.framing_error.eq(0)",
            "a byte that was cut short is not counted",
        ),
        (
            "self.i.ready.eq(edge & (count == 0) & loaded)",
            "self.i.ready.eq(edge & (count == 0))",
            "a byte that comes while filler is sent is lost",
        ),
        ("edge & (count == 0) & loaded", "edge & (count == 7) & loaded", "a byte is taken when it has left"),
        (
            "m.d.sync += [count.eq(0), *load]",
            "m.d.sync += [*load]",
            "a byte that was cut short shifts the next",
        ),
        (
            "self.o.valid.eq(queue.o.valid & self.waiting)",
            "self.o.valid.eq(queue.o.valid)",
            "a frame leaves before it is whole",
        ),
        (
            "frames.eq(frames + comes - goes)",
            "frames.eq(frames + comes)",
            "a frame that has left still waits",
        ),
    ),
    *_of(
        f"{_HW}/link/usb.py",
        (
            "device.tx.last.eq(up.r_data == 0)",
            "device.tx.last.eq(0)",
            "a short packet waits until it is full",
        ),
        (
            "up.r_en.eq(device.tx.ready & up.r_rdy)",
            "up.r_en.eq(up.r_rdy)",
            "bytes are lost while the host fetches none",
        ),
        (
            "device.rx.ready.eq(down.w_rdy)",
            "device.rx.ready.eq(1)",
            "bytes are lost while the link takes none",
        ),
    ),
    *_of(
        f"{_HW}/link/usb_device.py",
        (
            'ResetInserter({"usb": usb.reset_detected})(endpoint)',
            "endpoint",
            "data toggles outlive a reset of the bus",
        ),
    ),
    *_of(
        f"{_ETHERNET}/cobs.py",
        ("byte != LONGEST_BLOCK", "byte != 0", "the longest block stands for a zero behind it"),
        ("code == LONGEST_BLOCK", "code == LONGEST_BLOCK - 1", "blocks end a byte early"),
        ("put.eq(zero_pending)", "put.eq(0)", "zeros are left out of a datagram"),
        ("room.eq((at - out)[: len(at)] < _DEPTH - 2)", "room.eq(1)", "the memory of a block runs over"),
        ("word.more.eq(count - 1)", "word.more.eq(count)", "a byte too many counts in the last word"),
    ),
    *_of(
        f"{_ETHERNET}/datagram_store.py",
        ("with m.If(over | full | self.damaged):", "with m.If(over | full):", "damaged datagrams are kept"),
        ("m.d.sync += [at.eq(at), over.eq(1)]", "m.d.sync += at.eq(at)", "a datagram may be kept in part"),
        ("bytes_ + self.i.payload.more + 1", "bytes_ + self.i.payload.more", "the length is a byte short"),
        ("self.i.ready.eq(~full & ~closing)", "self.i.ready.eq(~full)", "a word is lost to the length"),
    ),
    *_of(
        f"{_ETHERNET}/padding.py",
        ("If(source.last, word.eq(0))", "If(fills, word.eq(0))", "the frame behind a short one may be short"),
        ("fills.eq(ends & ~source.last)", "fills.eq(0)", "short frames are joined to the next"),
        ("(fills | (sink.last_be < last_be))", "fills", "bytes in the last word of the least length lack"),
        (
            "sink.ready.eq(source.ready & ~fills)",
            "sink.ready.eq(source.ready)",
            "words behind a short frame are lost",
        ),
        ("self.source.error.eq(~0)", "self.source.error.eq(0)", "a short frame is no error"),
    ),
    *_of(
        f"{_ETHERNET}/udp_receiver.py",
        (
            "wrong.eq(bad | (packet.error != 0))",
            "wrong.eq(packet.error != 0)",
            "an error a word early is lost",
        ),
        (
            "source.error.eq(Replicate(wrong, size))",
            "source.error.eq(0)",
            "a short frame's FCS is not looked at",
        ),
        ("bad.eq(wrong & ~packet.last)", "bad.eq(wrong)", "the datagram behind a damaged one is dropped"),
        ("| (packet.last_be < last_be))", ")", "a datagram that lacks bytes of its last word is taken"),
        ("(end < source.length) | (packet", "(packet", "a datagram that lacks words is taken"),
        (" & (source.length != 0)", "", "an empty datagram has bytes"),
        ("source.data.eq(kept)", "source.data.eq(packet.data)", "the last word is that of the fill"),
    ),
    *_of(
        f"{_ETHERNET}/neighbour.py",
        ("If(self.heard, latest.eq(self.mac_address))", "latest.eq(self.mac_address)", "anybody is answered"),
        ("sink.valid & sink.request & ~answers", "sink.valid & ~answers", "a reply of ARP is answered"),
        (
            "sink.valid & sink.request & ~answers",
            "sink.valid & sink.request",
            "an answer changes while it waits",
        ),
        ("If(source.ready, answers.eq(0))", "answers.eq(0)", "an answer does not wait"),
    ),
    *_of(
        f"{_ETHERNET}/wire.py",
        ("starts.eq(~inside & there", "starts.eq(there", "a frame starts anew within itself"),
        ("follows.eq(there & (byte", "follows.eq((byte", "a preamble counts that ended with its frame"),
        ("place.eq(0), source.data", "source.data", "words begin where those of the last frame ended"),
        ("source.last_be.eq(0),", "", "a word within a frame has a last byte"),
        ("gap.eq(eth_interpacket_gap - 1)", "gap.eq(eth_interpacket_gap - 2)", "the gap is 11 bytes"),
        ("(left <= 1) & ~last & (gap == 0)", "(left <= 1) & (gap == 0)", "there is no gap"),
        ("sink.ready.eq(~waits)", "sink.ready.eq(1)", "words are lost while one waits"),
        ("If(sink.last, Case", "If(0, Case", "all bytes of a frame's last word are sent"),
    ),
    *_of(
        f"{_ETHERNET}/streams.py",
        ("self.to_port.eq(port)", "self.to_port.eq(port + 1)", "replies go to another port"),
        ("coming.damaged.eq(self.error)", "coming.damaged.eq(1)", "every datagram counts as damaged"),
        ("self.length.eq(going.o.payload.data)", "self.length.eq(1)", "the length is not the datagram's"),
    ),
    *_of(
        f"{_BOARDS}/transports/uart.py",
        ("pinned.rx.eq(pins.rx.i)", "pinned.rx.eq(~pins.rx.i)", "rx is inverted"),
        ("pins.tx.o.eq(pinned.tx)", "pins.tx.o.eq(~pinned.tx)", "tx is inverted"),
        (
            "divisor = uart_divisor(clock_mhz * 1e6, self.baud)",
            "divisor = uart_divisor(clock_mhz * 1e6, self.baud) + 1",
            "the divisor of the baud rate is off by one",
        ),
    ),
    *_of(
        f"{_BOARDS}/top.py",
        (
            "self.pinned.lock_lost.eq(clock.lock_lost)",
            "self.pinned.lock_lost.eq(0)",
            "nobody is told of a lost lock",
        ),
        ("held.o.eq(pin.level)", "held.o.eq(0)", "a pin that is to be held high is low"),
        (".o.eq(self.pinned.busy)", ".o.eq(~self.pinned.busy)", "the LED is lit when nothing is under way"),
    ),
    *_of(
        f"{_BOARDS}/clock/ecp5.py",
        (
            "p_CLKOS_DIV=dividers.output,",
            "p_CLKOS_DIV=dividers.output + 1,",
            "the divider of the engine's clock is off by one",
        ),
        (
            "p_CLKOP_DIV=dividers.loop,",
            "p_CLKOP_DIV=dividers.loop - 1,",
            "the divider of the feedback is off by one",
        ),
        ("i_CE=running", "i_CE=1", "the clock is not gated"),
        ("i_RST=Const(0, 1)", "i_RST=Const(1, 1)", "the PLL stays in reset"),
        (
            "m.d.ungated += started.eq(0)",
            "m.d.ungated += started.eq(started)",
            "a clock without its lock goes on",
        ),
        ("started = Signal(1 + math", "started = Signal(math", "the clock starts too early"),
        (
            "self.lock_lost.eq(seen & ~before)",
            "self.lock_lost.eq(seen)",
            "a lost lock is told in many cycles",
        ),
        (
            "_VCO_FREE_MHZ = (440, 760)",
            "_VCO_FREE_MHZ = (400, 800)",
            "the oscillator may run at its limits",
            ("tests/boards/test_clocks.py",),
        ),
    ),
    *_of(
        f"{_BOARDS}/clock/pll.py",
        ("m.d.comb += ResetSignal().eq(~ready)", "m.d.comb += ResetSignal().eq(1)", "the reset never ends"),
        ("count != cycles", "count != 0", "the reset is a cycle long"),
        ("m.d.start += [count.eq(0), ready.eq(0)]", "m.d.start += count.eq(0)", "a lost lock does not reset"),
    ),
    *_of(
        f"{_BOARDS}/clock/ice40.py",
        (
            "p_DIVF=Const(settings.divf, 7)",
            "p_DIVF=Const(settings.divf + 1, 7)",
            "the multiplier of the clock is off by one",
        ),
        ("i_RESETB=Const(1, 1)", "i_RESETB=Const(0, 1)", "the PLL stays in reset"),
    ),
    *_of(
        f"{_BOARDS}/boards/ulx3s.py",
        (
            'HeldPin("esp32", 1, subsignal="gpio0")',
            'HeldPin("esp32", 0, subsignal="gpio0")',
            "the ESP32 is told to load its own bitstream",
        ),
    ),
]
