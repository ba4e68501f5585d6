// A Verilated board (sim.usb.board) with a ULPI PHY at its pins, and a host of USB that is never idle.
//
//   board ENGINE_MHZ WINDOW
//     Standard input: encoded frames, each behind its length in 4 bytes; as many are in flight as the window says.
//     Standard output: for each reply its length and the cycle of 60 MHz in which its last packet has come, 4 bytes
//     each, and the reply; behind them a length of 0, and the packets to the board, from it, and refused.
//
// The bus takes its time: SYNC of 32 bits, an end of 8, stuffed bits, 88 bits from a packet to the host's next
// (USB 2.0, 7.1.18.2), SOF each 125 us, and the PHY's delay each time that the direction changes.
// The engine's clock stands still until the host has given the device its configuration.
#include "Vtop.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

using Bytes = std::vector<uint8_t>;

enum : uint8_t { OUT = 0xE1, IN = 0x69, SOF = 0xA5, SETUP = 0x2D, PING = 0xB4, ACK = 0xD2, NAK = 0x5A, NYET = 0x96 };
static const uint8_t DATA[] = {0xC3, 0x4B};
enum { SE0, J, K };
static const unsigned VBUS = 3 << 2, ACTIVE = 1 << 4, MICROFRAME = 7500, PACKET = 512, ENDPOINT = 4, ADDRESS = 5;
// Cycles of 60 MHz, in each of which the bus carries 8 bits.
static const unsigned SYNC = 4, END = 1, GAP = 11, PHY_DELAY = 8, RESPONSE = 200;
// Times before a reset, as a host leaves a device that was plugged in; of a chirp; until the device's.
static const unsigned START = 120000, CHIRP = 3000, CHIRP_LIMIT = 600000;

[[noreturn]] static void fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(3);
}

static unsigned crc5(unsigned value) {
    unsigned crc = 0x1F;
    for (int k = 0; k < 11; ++k) crc = crc >> 1 ^ ((crc ^ value >> k) & 1 ? 0x14 : 0);
    return crc ^ 0x1F;
}

static unsigned crc16(const uint8_t *data, size_t count) {
    unsigned crc = 0xFFFF;
    while (count--) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xA001 : 0);
    }
    return crc ^ 0xFFFF;
}

// Bits that a packet has beside its bytes: a 0 behind six 1s.
struct Stuffing {
    unsigned ones = 0, bits = 0;

    // Whether these bits fill another byte's time.
    bool due() {
        if (bits < 8) return false;
        bits -= 8;
        return true;
    }

    void take(uint8_t byte) {
        for (int bit = 0; bit < 8; ++bit) {
            ones = byte >> bit & 1 ? ones + 1 : 0;
            if (ones == 6) ++bits, ones = 0;
        }
    }
};

struct Cycle {
    uint8_t data, stop;
};

// The PHY, and time: `cycles` of its clock have passed.
struct Wire {
    VerilatedContext context;
    Vtop top{&context};
    uint64_t cycles = 0;
    bool engine_runs = false;
    double engine_at = 0, half;
    uint8_t function_control = 0x41;
    unsigned line = SE0, chirps = 0;
    std::deque<Bytes> received;

    explicit Wire(double mhz) : half(60 / mhz / 2) {
        top.rst = top.usb_rst = 1;
        top.clk = top.usb_clk = 0;
        for (int n = 0; n < 20; ++n) cycle(0, 0), edge();
        top.rst = 0;
        for (int n = 0; n < 20; ++n) cycle(0, 0), edge();
        top.usb_rst = 0;
        report(J);
        rest(START);
    }

    void edge() { top.clk = 1, top.eval(), top.clk = 0, top.eval(); }

    // A cycle with these levels of the PHY's: what the board's are at its end.
    Cycle cycle(int dir, int nxt, uint8_t data = 0) {
        top.dir = dir, top.nxt = nxt, top.data_i = data;
        top.usb_clk = 0;
        top.eval();
        if (engine_runs)
            for (; engine_at <= cycles + 1; engine_at += half) top.clk = !top.clk, top.eval();
        const Cycle found{top.data_o, top.stp};
        top.usb_clk = 1;
        top.eval();
        ++cycles;
        return found;
    }

    void rest(unsigned count) {
        for (const uint64_t end = cycles + count; cycles < end;)
            if (const uint8_t command = cycle(0, 0).data) obey(command);
    }

    void obey(uint8_t command) {
        if (command >> 6 == 2) {
            cycle(0, 1);
            const uint8_t value = cycle(0, 1).data;
            if ((command & 0x3F) == 4) function_control = value;
            while (!cycle(0, 0).stop) continue;
        } else if (command >> 6 == 1 && command & 15) {
            const uint8_t pid = command & 15;
            Bytes packet{uint8_t(pid | (pid ^ 15) << 4)};
            Stuffing stuffing;
            cycle(0, 1);
            stuffing.take(packet[0]);
            // The PHY takes bytes that it has sent; it keeps the end of a packet that is shorter than SYNC.
            unsigned before = SYNC;
            for (bool stop = false; before || !stop;) {
                const bool next = !before && !stuffing.due();
                const Cycle found = cycle(0, next);
                stop |= found.stop;
                before -= before > 0;
                if (next && !stop) packet.push_back(found.data), stuffing.take(found.data);
            }
            for (unsigned n = 0; n < END; ++n) cycle(0, 0);
            received.push_back(packet);
        } else if (command >> 6 == 1) {
            cycle(0, 1);
            while (!cycle(0, 1).stop) continue;
            ++chirps;
        } else {
            fail("the board gives its PHY a command that is not modelled");
        }
    }

    void report(unsigned level) {
        line = level;
        cycle(1, 0), cycle(1, 0, line | VBUS), cycle(0, 0);
    }

    void send(const Bytes &packet) {
        rest(GAP + SYNC - 2);
        if (!received.empty()) fail("the board speaks where the host does");
        const uint8_t told = J | VBUS | ACTIVE;
        cycle(1, 1), cycle(1, 0, told);
        Stuffing stuffing;
        for (const uint8_t byte : packet) {
            if (stuffing.due()) cycle(1, 0, told);
            cycle(1, 1, byte);
            stuffing.take(byte);
        }
        cycle(1, 0, line | VBUS), cycle(0, 0);
    }

    // The packet that answers one of the host's; empty where none does.
    Bytes receive() {
        rest(PHY_DELAY);
        for (const uint64_t end = cycles + RESPONSE; received.empty() && cycles < end;) rest(1);
        if (received.empty()) return {};
        const Bytes packet = received.front();
        received.pop_front();
        return packet;
    }

    void reset() {
        report(SE0);
        for (const uint64_t end = cycles + CHIRP_LIMIT; !chirps && cycles < end;) rest(CHIRP);
        if (!chirps) fail("the board does not chirp: it is no device of high speed");
        for (int n = 0; n < 3; ++n) report(K), rest(CHIRP), report(J), rest(CHIRP);
        report(SE0), rest(CHIRP);
        if (function_control & 31) fail("the board has not come to high speed");
    }
};

// Transactions, and the packets of a serial port.
struct Host {
    Wire &wire;
    unsigned address = 0, frame = 0, out_toggle = 0, in_toggle = 0;
    uint64_t next_frame = 0;
    uint32_t packets_to = 0, packets_from = 0, refused = 0;

    void send_token(uint8_t pid, unsigned value) {
        value |= crc5(value) << 11;
        wire.send({pid, uint8_t(value), uint8_t(value >> 8)});
    }

    void token(uint8_t pid, unsigned endpoint) {
        if (wire.cycles >= next_frame) {
            next_frame = wire.cycles + MICROFRAME;
            send_token(SOF, frame++ / 8 & 0x7FF);
        }
        send_token(pid, address | endpoint << 7);
    }

    uint8_t out(uint8_t pid, unsigned endpoint, unsigned toggle, const uint8_t *data, size_t count) {
        token(pid, endpoint);
        Bytes packet{DATA[toggle]};
        packet.insert(packet.end(), data, data + count);
        const unsigned sum = crc16(data, count);
        packet.push_back(sum), packet.push_back(sum >> 8);
        wire.send(packet);
        const Bytes answer = wire.receive();
        if (answer.size() != 1) fail("the board does not answer a packet");
        return answer[0];
    }

    // Data, or nothing where the board has none.
    bool in(unsigned endpoint, unsigned toggle, Bytes &data) {
        token(IN, endpoint);
        const Bytes packet = wire.receive();
        if (packet.size() == 1 && packet[0] == NAK) return false;
        const size_t count = packet.size() - 3;
        if (packet.size() < 3 || packet[0] != DATA[toggle]) fail("the board sends what the host does not expect");
        const unsigned sum = crc16(&packet[1], count);
        if (packet[count + 1] != (sum & 255) || packet[count + 2] != sum >> 8) fail("a packet's sum is wrong");
        wire.send({ACK});
        data.assign(packet.begin() + 1, packet.end() - 2);
        return true;
    }

    void request(Bytes setup) {
        if (out(SETUP, 0, 0, setup.data(), 8) != ACK) fail("the board does not take a request");
        Bytes data;
        for (int n = 0; !in(0, 1, data); ++n)
            if (n > 100) fail("the board does not answer a request");
    }

    void enumerate() {
        wire.reset();
        request({0x00, 5, ADDRESS, 0, 0, 0, 0, 0});
        address = ADDRESS;
        request({0x00, 9, 1, 0, 0, 0, 0, 0});
    }

    bool room = true;  // as far as the host knows

    // A packet to the serial port: whether it was taken.
    bool put(const uint8_t *data, size_t count) {
        if (!room) {
            token(PING, ENDPOINT);
            const Bytes answer = wire.receive();
            room = answer.size() == 1 && answer[0] == ACK;
            refused += !room;
            if (!room) return false;
        }
        const uint8_t answer = out(OUT, ENDPOINT, out_toggle, data, count);
        room = answer == ACK;
        if (answer == NAK) return ++refused, false;
        if (answer != ACK && answer != NYET) fail("the board's answer is none");
        out_toggle ^= 1, ++packets_to;
        return true;
    }

    bool get(Bytes &data) {
        if (!in(ENDPOINT, in_toggle, data)) return ++refused, false;
        in_toggle ^= 1, ++packets_from;
        return true;
    }
};

static void tell(uint32_t number) { fwrite(&number, 4, 1, stdout); }

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const unsigned window = atoi(argv[2]);
    std::vector<Bytes> frames;
    uint32_t size;
    while (fread(&size, 4, 1, stdin) == 1) {
        frames.emplace_back(size);
        if (fread(frames.back().data(), 1, size, stdin) != size) return 1;
    }
    Wire wire(atof(argv[1]));
    Host host{wire};
    host.enumerate();
    wire.engine_at = wire.cycles, wire.engine_runs = true;
    wire.rest(2000);
    const uint64_t begun = wire.cycles;
    unsigned sent = 0, replies = 0;
    size_t at = 0;
    Bytes reply, packet;
    // One packet to the board and one from it in turn, as a controller goes around its queues.
    for (uint64_t moved = wire.cycles; replies < frames.size();) {
        if (wire.cycles > moved + 10000000) return 4;
        if (sent < frames.size() && (at || sent < replies + (replies ? window : 1))) {
            const Bytes &frame = frames[sent];
            const size_t count = frame.size() - at < PACKET ? frame.size() - at : PACKET;
            if (host.put(&frame[at], count)) {
                moved = wire.cycles;
                if ((at += count) == frame.size()) ++sent, at = 0;
            }
        }
        if (!host.get(packet)) continue;
        moved = wire.cycles;
        for (const uint8_t byte : packet) {
            reply.push_back(byte);
            if (byte) continue;
            tell(reply.size()), tell(wire.cycles - begun), fwrite(reply.data(), 1, reply.size(), stdout);
            reply.clear();
            ++replies;
        }
    }
    tell(0), tell(host.packets_to), tell(host.packets_from), tell(host.refused);
    wire.top.final();
}
