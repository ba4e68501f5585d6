// One step of a ternary LSTM after the other, on bit planes: 64 weights in two words, a product by AND and
// popcount. Built on the spot and compared with the golden model by trine_sw.bench.popcount.
#include <stdint.h>
#include <string.h>

// A row of trits is two rows of bits: `words` of them say which are active, as many more which are negative.
static int dot(const uint64_t *w, const uint64_t *x, int words)
{
    const uint64_t *w_negative = w + words, *x_negative = x + words;
    uint64_t count = 0, minus = 0;
    for (int k = 0; k < words; k++) {
        uint64_t both = w[k] & x[k];
        count += __builtin_popcountll(both);
        minus += __builtin_popcountll(both & (w_negative[k] ^ x_negative[k]));
    }
    return (int)count - 2 * (int)minus;
}

// x: steps rows, of which the trits of h, from column `first` on, are filled in here.
// w: 4 * hidden rows, the gates i, f, g, o of a cell side by side. lo, hi likewise.
// c: hidden, the state, changed in place. out: steps * hidden trits of h.
void trine_lstm(int steps, int hidden, int words, int first, int c_max, int c_shift, int o_shift,
                const uint64_t *w, const int32_t *lo, const int32_t *hi, uint64_t *x, int8_t *c, int8_t *h,
                int8_t *out)
{
    for (int t = 0; t < steps; t++, x += 2 * words, out += hidden) {
        for (int j = 0; j < hidden; j++) {
            int column = first + j;
            uint64_t bit = 1ull << (column & 63);
            x[column >> 6] |= h[j] ? bit : 0;
            x[words + (column >> 6)] |= h[j] < 0 ? bit : 0;
        }
        for (int j = 0; j < hidden; j++) {
            const uint64_t *rows = w + 8l * j * words;
            const int32_t *low = lo + 4 * j, *high = hi + 4 * j;
            int i = dot(rows, x, words) >= high[0];
            int f = dot(rows + 2 * words, x, words);
            int g = dot(rows + 4 * words, x, words);
            int o = dot(rows + 6 * words, x, words) >= high[3];
            int keep = (f >= low[1]) + (f >= high[1]);
            int old = c[j], half = old < 0 ? -(-old >> 1) : old >> 1;
            int new = (keep == 2 ? old : keep ? half : 0) + i * ((g >= high[2]) - (g <= low[2])) * (1 << c_shift);
            new = new > c_max ? c_max : new < -c_max ? -c_max : new;
            int size = new < 0 ? -new : new;
            c[j] = new;
            out[j] = o && size >> o_shift ? (new > 0) - (new < 0) : 0;
        }
        memcpy(h, out, hidden);
    }
}
