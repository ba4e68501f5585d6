// A Verilated board (trine_hw.link.ethernet.streams.EthernetLink) with a wire at its GMII pins.
//
//   board tap FD ENGINE_MHZ LOST DOUBLED LATE SEED [FILE]
//     The wire is the TAP interface at the file descriptor. So many per mille of the UDP datagrams of each
//     direction are lost, doubled, or come behind the next three. While the board has nothing to do, it stands
//     still. Behind each frame come the next bytes of the file, of which each part has its length in 4 bytes
//     before it. Ends with its standard input, and then writes: the engine's cycles, datagrams to the board and
//     from it, and those lost, doubled and late.
//   board frames ENGINE_MHZ WINDOW
//     Standard input: frames of Ethernet without preamble and FCS, each behind its length in 4 bytes, whose
//     highest bit says that the frame comes before with a wrong FCS too, the next one that it is what is on the
//     wire, with all that it has or lacks and a gap of 1 to 12 bytes, and nobody waits for an answer, and the
//     third that the board first comes to rest. As many are in flight as the window says.
//     Standard output: for each datagram that comes back to a host that waits for one the length of its frame
//     and the engine's cycle, 4 bytes each, and the frame.
#include "Vtop.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <poll.h>
#include <random>
#include <set>
#include <string>
#include <unistd.h>
#include <vector>

using Bytes = std::vector<uint8_t>;

static uint32_t check_sum(const uint8_t *data, size_t count) {
    uint32_t crc = ~0u;
    while (count--) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static bool is_udp(const Bytes &frame) {
    return frame.size() > 42 && frame[12] == 8 && frame[13] == 0 && frame[23] == 17;
}

// Loses, doubles and holds back datagrams of one direction.
struct Faults {
    unsigned lost = 0, doubled = 0, late = 0;
    std::mt19937 random;
    std::deque<std::pair<int, Bytes>> held;
    static unsigned long counts[3];

    template <class Send> void carry(const Bytes &frame, Send send) {
        if (!is_udp(frame)) return send(frame);
        const unsigned chance = random() % 1000;
        if (chance < lost) ++counts[0];
        else if (chance < lost + doubled) ++counts[1], send(frame), send(frame);
        else if (chance < lost + doubled + late) ++counts[2], held.push_back({4, frame});
        else send(frame);
        for (auto &each : held) --each.first;
        while (!held.empty() && held.front().first <= 0) send(held.front().second), held.pop_front();
    }
};
unsigned long Faults::counts[3];

// The board, its clocks, and the bytes at its pins.
struct Board {
    VerilatedContext context;
    Vtop top{&context};
    uint64_t cycles = 0;                          // of the engine
    std::deque<int> line;                         // bytes to the board, or -1 where there is none
    Bytes going;
    std::deque<Bytes> sent;                       // whole frames from the board
    int shortened = 0;                            // bytes, of the next frame's preamble
    uint64_t quiet = 0;                           // bytes' times since anything has moved
    uint64_t wire_at = 0, eth_at = 0, engine_at = 0, half;

    explicit Board(double mhz) : half(uint64_t(5e5 / mhz)) {
        top.rx_dv = 0;
        top.lock_lost = 0;
        resets(1);
        for (int n = 0; n < 100; ++n) wire_cycle();
        resets(0);
        for (int n = 0; n < 1000; ++n) wire_cycle();
        cycles = 0;
    }

    void resets(int level) { top.rst = top.eth_rst = top.eth_rx_rst = top.eth_tx_rst = level; }

    void put(const Bytes &frame, bool damaged = false) {
        Bytes whole = frame;
        if (whole.size() < 60) whole.resize(60);
        const uint32_t sum = check_sum(whole.data(), whole.size()) ^ damaged << 28;
        for (int n = 0; n < 4; ++n) whole.push_back(sum >> 8 * n);
        // A PHY may shorten the preamble, each frame's otherwise.
        for (int n = 0; n < 7; ++n) line.push_back(n < shortened ? -1 : 0x55);
        shortened = (shortened + 1) % 7;
        line.push_back(0xD5);
        line.insert(line.end(), whole.begin(), whole.end());
        line.insert(line.end(), 12, -1);
    }

    void put_bytes(const Bytes &bytes) {
        line.insert(line.end(), bytes.begin(), bytes.end());
        line.insert(line.end(), 1 + bytes.size() % 12, -1);
    }

    // The time of a byte on the wire, and what the other clocks do meanwhile.
    void wire_cycle() {
        const uint64_t end = wire_at + 8000;
        int byte = -1;
        if (!line.empty()) byte = line.front(), line.pop_front();
        top.eth_rx_clk = top.eth_tx_clk = 0;
        top.rx_dv = byte >= 0;
        top.rx_data = byte < 0 ? 0 : byte;
        others(wire_at + 4000);
        take();
        top.eth_rx_clk = top.eth_tx_clk = 1;
        top.eval();
        others(end);
        wire_at = end;
        quiet = byte >= 0 || top.tx_en || top.busy ? 0 : quiet + 1;
    }

    void others(uint64_t until) {
        while (eth_at <= until || engine_at <= until) {
            if (eth_at <= engine_at) top.eth_clk = !top.eth_clk, eth_at += 10000;
            else top.clk = !top.clk, engine_at += half, cycles += top.clk;
            top.eval();
        }
        top.eval();
    }

    void take() {
        if (top.tx_en) return going.push_back(top.tx_data);
        if (going.empty()) return;
        size_t at = 0;
        while (at < going.size() && going[at] == 0x55) ++at;
        if (at >= going.size() || going[at] != 0xD5 || going.size() - at < 65)
            fprintf(stderr, "the board has sent no frame\n"), exit(3);
        Bytes frame(going.begin() + at + 1, going.end() - 4);
        uint32_t sum = 0;
        for (int n = 0; n < 4; ++n) sum |= uint32_t(going[going.size() - 4 + n]) << 8 * n;
        if (sum != check_sum(frame.data(), frame.size())) fprintf(stderr, "a frame's sum is wrong\n"), exit(3);
        sent.push_back(frame);
        going.clear();
    }
};

static std::vector<Bytes> parts_of(const char *path) {
    std::vector<Bytes> parts;
    FILE *file = fopen(path, "rb");
    uint32_t size;
    while (file && fread(&size, 4, 1, file) == 1) {
        parts.emplace_back(size);
        if (fread(parts.back().data(), 1, size, file) != size) exit(1);
    }
    if (file) fclose(file);
    return parts;
}

static int on_tap(int argc, char **argv) {
    if (argc != 8 && argc != 9) return 2;
    const std::vector<Bytes> others = argc == 9 ? parts_of(argv[8]) : std::vector<Bytes>();
    size_t next = 0;
    const int tap = atoi(argv[2]);
    Board board(atof(argv[3]));
    Faults up, down;
    for (Faults *way : {&up, &down}) {
        way->lost = atoi(argv[4]), way->doubled = atoi(argv[5]), way->late = atoi(argv[6]);
        way->random.seed(atoi(argv[7]) + (way == &down));
    }
    unsigned long to_board = 0, from_board = 0;
    uint8_t buffer[2048];
    bool ended = false;
    while (!ended) {
        const bool idle = board.quiet > 5000 && board.line.empty();
        pollfd waits[] = {{tap, POLLIN, 0}, {0, POLLIN, 0}};
        poll(waits, 2, idle ? 1000 : 0);
        ended = waits[1].revents;
        while (board.line.size() < 40000) {
            const ssize_t size = read(tap, buffer, sizeof buffer);
            if (size <= 0) break;
            board.quiet = 0;
            up.carry(Bytes(buffer, buffer + size), [&](const Bytes &frame) {
                to_board += is_udp(frame);
                board.put(frame);
            });
            if (!others.empty()) board.put_bytes(others[next++ % others.size()]);
        }
        if (idle && board.line.empty()) continue;
        for (int n = 0; n < 200; ++n) board.wire_cycle();
        while (!board.sent.empty()) {
            down.carry(board.sent.front(), [&](const Bytes &frame) {
                from_board += is_udp(frame);
                if (write(tap, frame.data(), frame.size()) < 0) perror("TAP");
            });
            board.sent.pop_front();
        }
    }
    printf("%lu %lu %lu %lu %lu %lu\n", (unsigned long)board.cycles, to_board, from_board, Faults::counts[0],
           Faults::counts[1], Faults::counts[2]);
    board.top.final();
    return 0;
}

static int of_frames(int argc, char **argv) {
    if (argc != 4) return 2;
    Board board(atof(argv[2]));
    const unsigned window = atoi(argv[3]);
    std::vector<Bytes> frames;
    std::vector<bool> damaged, seen, rested;
    uint32_t size;
    while (fread(&size, 4, 1, stdin) == 1) {
        damaged.push_back(size >> 31);
        seen.push_back(size >> 30 & 1);
        rested.push_back(size >> 29 & 1);
        size &= 0x1FFFFFFF;
        frames.emplace_back(size);
        if (fread(frames.back().data(), 1, size, stdin) != size) return 1;
    }
    std::set<Bytes> waits;
    for (size_t n = 0; n < frames.size(); ++n)
        if (!seen[n]) waits.insert(Bytes(frames[n].begin() + 6, frames[n].begin() + 12));
    unsigned sent = 0, replies = 0;
    while (replies < frames.size()) {
        if (board.quiet > 1000000) return 4;
        for (; sent < frames.size() && sent < replies + window; ++sent) {
            if (rested[sent]) {
                while (!board.line.empty() || board.quiet < 3000) board.wire_cycle();
            }
            if (damaged[sent]) board.put(frames[sent], true);
            if (seen[sent]) board.put_bytes(frames[sent]);
            else board.put(frames[sent]);
            replies += seen[sent];
        }
        board.wire_cycle();
        for (; !board.sent.empty(); board.sent.pop_front()) {
            const Bytes &frame = board.sent.front();
            if (!is_udp(frame) || !waits.count(Bytes(frame.begin(), frame.begin() + 6))) continue;
            const uint32_t length = frame.size(), cycle = board.cycles;
            fwrite(&length, 4, 1, stdout), fwrite(&cycle, 4, 1, stdout), fwrite(&frame[0], 1, length, stdout);
            ++replies;
        }
    }
    board.top.final();
    return 0;
}

int main(int argc, char **argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    return mode == "tap" ? on_tap(argc, argv) : mode == "frames" ? of_frames(argc, argv) : 2;
}
