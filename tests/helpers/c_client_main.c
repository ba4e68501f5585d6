/* Drives a C client as a file of 64-bit words tells it, with the board at standard input and output.
 *
 * program COMMANDS RESULTS [wire]: each command's results are written as 64-bit words, its error first. Without the
 * third word the other side takes and gives a length before the bytes, and gives them for each write; time passes
 * only where nothing is left to read. So nobody waits, and equal faults give equal runs. With it, bytes are bytes, and
 * the clock is the machine's.
 */
#define _POSIX_C_SOURCE 200809L
#include "trine_client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPEN, RESET, STEP, STEP_SAMPLES, STEP_TRITS, FEED, WINDOW, WINDOW_SAMPLES, WINDOW_TRITS, GENERATE, COUNTERS, ENCODE, TAU, HOST, SIZE, NAMES, HOSTILE };

static FILE *commands, *results;
static trine_client client;

static uint32_t passed;
static uint8_t *waiting;
static size_t waiting_size, waiting_at;

static int fully(int out, uint8_t *data, size_t size)
{
    while (size != 0) {
        ssize_t count = out ? write(1, data, size) : read(0, data, size);
        if (count <= 0)
            return -1;
        data += count;
        size -= (size_t)count;
    }
    return 0;
}

static int step_read(void *context, uint8_t *data, size_t size, uint32_t timeout_ms)
{
    size_t left = waiting_size - waiting_at;

    (void)context;
    if (left == 0) {
        passed += timeout_ms;
        return 0;
    }
    size = size < left ? size : left;
    memcpy(data, waiting + waiting_at, size);
    waiting_at += size;
    return (int)size;
}

static int step_write(void *context, const uint8_t *data, size_t size)
{
    uint32_t length = (uint32_t)size;
    uint8_t *all;

    (void)context;
    passed++;
    if (fully(1, (uint8_t *)&length, sizeof length) || fully(1, (uint8_t *)data, size))
        return -1;
    if (fully(0, (uint8_t *)&length, sizeof length))
        return -1;
    all = malloc(waiting_size - waiting_at + length + 1);
    if (waiting_size != waiting_at)
        memcpy(all, waiting + waiting_at, waiting_size - waiting_at);
    waiting_size -= waiting_at;
    waiting_at = 0;
    free(waiting);
    waiting = all;
    waiting_size += length;
    return fully(0, waiting + waiting_size - length, length);
}

static uint32_t step_clock(void *context)
{
    (void)context;
    return 0xffffffffu - 200 + passed; /* wraps at once */
}

static int wire_read(void *context, uint8_t *data, size_t size, uint32_t timeout_ms)
{
    struct pollfd in = {0, POLLIN, 0};

    (void)context;
    if (poll(&in, 1, (int)timeout_ms) <= 0)
        return 0;
    ssize_t count = read(0, data, size);
    return count > 0 ? (int)count : -1;
}

static int wire_write(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    return fully(1, (uint8_t *)data, size);
}

static uint32_t wire_clock(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static int64_t word(void)
{
    int64_t value;

    if (fread(&value, sizeof value, 1, commands) != 1)
        exit(3);
    return value;
}

static void put(int64_t value)
{
    fwrite(&value, sizeof value, 1, results);
    fflush(results);
}

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count != 0 ? count : 1, size);

    if (memory == NULL)
        exit(4);
    return memory;
}

#define READ(type, name, count)                        \
    type *name = room((size_t)(count), sizeof(type));  \
    for (size_t index = 0; index < (size_t)(count); index++) \
        name[index] = (type)word()

/* One step and all that it gives, or what `asked` of it. */
static int64_t asked;
static int8_t h[TRINE_HIDDEN], u[TRINE_HIDDEN];
static uint32_t cycles;
static trine_outputs outputs;
#ifdef TEST_OUTPUTS
static uint32_t choice;
static int32_t logits[TEST_OUTPUTS];
#endif

static void ask(void)
{
    asked = word();
    memset(&outputs, 0, sizeof outputs);
    outputs.h = asked & 1 ? h : NULL;
    outputs.u = asked & 2 ? u : NULL;
    outputs.cycles = asked & 4 ? &cycles : NULL;
#ifdef TEST_OUTPUTS
    outputs.logits = asked & 8 ? logits : NULL;
    outputs.choice = asked & 16 ? &choice : NULL;
#endif
}

static void tell(trine_error error)
{
    put(error);
    for (size_t at = 0; at < TRINE_HIDDEN && asked & 1; at++)
        put(h[at]);
    for (size_t at = 0; at < TRINE_HIDDEN && asked & 2; at++)
        put(u[at]);
    if (asked & 4)
        put(cycles);
#ifdef TEST_OUTPUTS
    for (size_t at = 0; at < TEST_OUTPUTS && asked & 8; at++)
        put(logits[at]);
    if (asked & 16)
        put(choice);
#endif
}

static double real_word(void)
{
    int64_t bits = word();
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

int main(int count, char **words)
{
    trine_io io = {step_read, step_write, step_clock, NULL}, wire = {wire_read, wire_write, wire_clock, NULL};
    int64_t command;

    if (count == 4)
        io = wire;
    if (count < 3 || !(commands = fopen(words[1], "rb")) || !(results = fopen(words[2], "wb")))
        return 2;
    while (fread(&command, sizeof command, 1, commands) == 1) {
        size_t steps;

        switch (command) {
        case OPEN:
            put(trine_open(&client, &io, (uint16_t)word()));
            break;
        case RESET:
            put(trine_reset(&client));
            break;
        case COUNTERS: {
            trine_counters counters = {0};
            put(trine_read_counters(&client, &counters));
            put(counters.tokens);
            put(counters.repeats);
            break;
        }
        case HOST:
            put(client.sent);
            put(client.resent);
            put(client.replies);
            put(client.damaged);
            put(client.timeouts);
            put(client.reason);
            break;
        case SIZE:
            put((int64_t)sizeof client);
            break;
        case NAMES:
            for (int error = -1; error < 20; error++)
                fprintf(results, "%s: %s\n", trine_error_name((trine_error)error), trine_error_text((trine_error)error));
            break;
#ifdef TEST_TOKENS
        case STEP:
            ask();
            for (steps = (size_t)word(); steps > 0; steps--)
                tell(trine_step(&client, (uint32_t)word(), asked ? &outputs : NULL));
            break;
        case FEED: {
            steps = (size_t)word();
            READ(uint32_t, tokens, steps);
            put(trine_feed(&client, tokens, steps));
            free(tokens);
            break;
        }
#endif
#ifdef TEST_GENERATES
        case GENERATE: {
            uint16_t tau = (uint16_t)word();
            int seeded = (int)word();
            uint32_t seed = (uint32_t)word();
            size_t made = (size_t)word(), length = (size_t)word();
            READ(uint32_t, prompt, length);
            uint32_t *tokens = room(made, sizeof *tokens);
            put(trine_generate(&client, prompt, length, tokens, made, tau, seeded ? &seed : NULL));
            for (size_t at = 0; at < made; at++)
                put(tokens[at]);
            free(prompt);
            free(tokens);
            break;
        }
#ifndef TRINE_NO_REAL
        case TAU: {
            uint16_t tau = 0;
            put(trine_tau(real_word(), &tau));
            put(tau);
            break;
        }
#endif
#endif
#ifdef TEST_VECTORS
        case STEP_TRITS:
            ask();
            for (steps = (size_t)word(); steps > 0; steps--) {
                READ(int8_t, trits, TRINE_EMBEDDING);
                tell(trine_step_trits(&client, trits, &outputs));
                free(trits);
            }
            break;
#endif
#ifdef TEST_ENCODER
        case STEP_SAMPLES:
            ask();
            for (steps = (size_t)word(); steps > 0; steps--) {
                READ(int16_t, samples, TRINE_FEATURES);
                tell(trine_step_samples(&client, samples, &outputs));
                free(samples);
            }
            break;
#ifndef TRINE_NO_REAL
        case STEP:
            ask();
            for (steps = (size_t)word(); steps > 0; steps--) {
                trine_real features[TRINE_FEATURES];
                for (size_t at = 0; at < TRINE_FEATURES; at++)
                    features[at] = (trine_real)real_word();
                tell(trine_step(&client, features, &outputs));
            }
            break;
        case ENCODE: {
            int16_t samples[TRINE_FEATURES] = {0}, previous[TRINE_FEATURES];
            int8_t trits[TRINE_EMBEDDING];
            size_t all = steps = (size_t)word();
            for (; steps > 0; steps--) {
                trine_real features[TRINE_FEATURES];
                for (size_t at = 0; at < TRINE_FEATURES; at++)
                    features[at] = (trine_real)real_word();
                memcpy(previous, samples, sizeof previous);
                put(trine_sample(features, samples));
                trine_encode(samples, steps == all ? NULL : previous, trits);
                for (size_t at = 0; at < TRINE_FEATURES; at++)
                    put(samples[at]);
                for (size_t at = 0; at < TRINE_EMBEDDING; at++)
                    put(trits[at]);
            }
            break;
        }
#endif
#endif
#if defined(TEST_WINDOWS) && !(TEST_WINDOWS == 3 && defined(TRINE_NO_REAL))
#if TEST_WINDOWS == 1
#define RUN(suffix)                                                                   \
    {                                                                                 \
        int64_t sums[TRINE_OUTPUTS] = {0};                                            \
        uint32_t found = 0;                                                           \
        int with_logits = (int)word();                                                \
        put(trine_classify##suffix(&client, given, steps, &found, with_logits ? sums : NULL)); \
        put(found);                                                                   \
        for (size_t at = 0; at < TRINE_OUTPUTS && with_logits; at++)                  \
            put(sums[at]);                                                            \
    }
#elif TEST_WINDOWS == 2
#define RUN(suffix)                                                \
    {                                                              \
        uint32_t *found = room(steps, sizeof *found);              \
        (void)word();                                              \
        put(trine_label##suffix(&client, given, steps, found));    \
        for (size_t at = 0; at < steps; at++)                      \
            put(found[at]);                                        \
        free(found);                                               \
    }
#else
#define RUN(suffix)                                                \
    {                                                              \
        double values[TRINE_OUTPUTS] = {0};                        \
        (void)word();                                              \
        put(trine_regress##suffix(&client, given, steps, values)); \
        for (size_t at = 0; at < TRINE_OUTPUTS; at++) {            \
            int64_t bits;                                          \
            memcpy(&bits, &values[at], sizeof bits);               \
            put(bits);                                             \
        }                                                          \
    }
#endif
        case WINDOW_TRITS: {
            steps = (size_t)word();
            READ(int8_t, given, steps * TRINE_EMBEDDING);
            RUN(_trits)
            free(given);
            break;
        }
#ifdef TEST_ENCODER
        case WINDOW_SAMPLES: {
            steps = (size_t)word();
            READ(int16_t, given, steps * TRINE_FEATURES);
            RUN(_samples)
            free(given);
            break;
        }
#ifndef TRINE_NO_REAL
        case WINDOW: {
            steps = (size_t)word();
            trine_real *given = room(steps * TRINE_FEATURES, sizeof *given);
            for (size_t at = 0; at < steps * TRINE_FEATURES; at++)
                given[at] = (trine_real)real_word();
            RUN()
            free(given);
            break;
        }
#endif
#endif
#endif
        case HOSTILE: {
            trine_io none = {0};
            put(trine_open(NULL, &io, 1));
            put(trine_open(&client, NULL, 1));
            put(trine_open(&client, &none, 1));
            put(trine_reset(NULL));
            put(trine_read_counters(&client, NULL));
            break;
        }
        default:
            return 5;
        }
    }
    (void)real_word;
    free(waiting);
    return 0;
}
