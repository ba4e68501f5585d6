// ECP5 cells around the core that Yosys has no model of: pads, PLL and gated clock buffer.
// +lock_ns=N: time from the start of the simulation until a PLL reports that it has locked.
`timescale 1ns / 1ps

module TRELLIS_IO #(
    parameter DIR = "INPUT"
) (
    inout B,
    input I,
    input T,
    output O
);
    generate
        if (DIR == "INPUT") assign O = B;
        else if (DIR == "OUTPUT" || DIR == "BIDIR") assign B = T ? 1'bz : I;
        else begin
            initial $fatal(1, "TRELLIS_IO: only DIR INPUT, OUTPUT and BIDIR are modelled");
        end
        if (DIR == "BIDIR") assign O = B;
    endgenerate
endmodule

// Starts and stops the clock while it is low.
module DCCA (
    input CLKI,
    input CE,
    output CLKO
);
    reg open = 0;
    always @(negedge CLKI) open <= CE;
    assign CLKO = CLKI & open;
endmodule

// An output of a PLL, which runs while vco_ns, the time of its oscillator, is not 0. Outputs of one oscillator
// rise together, and keep their phase: each edge is a multiple of the oscillator's time after the first, so that
// what is rounded in one delay is made up for in the next.
module trine_pll_output #(
    parameter integer DIV = 1
) (
    input CLKI,
    input real vco_ns,
    input real first_ns,
    output reg CLK
);
    real edge_ns;
    initial begin
        edge_ns = 0;
        CLK = 0;
    end
    always begin
        if (vco_ns > 0) begin
            if (edge_ns == 0) edge_ns = first_ns - vco_ns * DIV / 2;
            edge_ns = edge_ns + vco_ns * DIV / 2;
            while (!CLK && edge_ns < $realtime + 0.001) edge_ns = edge_ns + vco_ns * DIV;
            #(edge_ns - $realtime) CLK = !CLK;
        end
        else @(posedge CLKI);
    end
endmodule

// Feedback through CLKOP alone. The outputs run from the second edge of the input on, locked or not. It never
// locks with its oscillator outside the 400 to 800 MHz of Lattice FPGA-DS-02012.
module EHXPLLL #(
    parameter integer CLKI_DIV = 1,
    parameter integer CLKFB_DIV = 1,
    parameter integer CLKOP_DIV = 8,
    parameter integer CLKOS_DIV = 8,
    parameter integer CLKOS2_DIV = 8,
    parameter integer CLKOS3_DIV = 8,
    parameter CLKOP_ENABLE = "ENABLED",
    parameter CLKOS_ENABLE = "DISABLED",
    parameter CLKOS2_ENABLE = "DISABLED",
    parameter CLKOS3_ENABLE = "DISABLED",
    parameter integer CLKOP_CPHASE = 0,
    parameter integer CLKOS_CPHASE = 0,
    parameter integer CLKOS2_CPHASE = 0,
    parameter integer CLKOS3_CPHASE = 0,
    parameter integer CLKOP_FPHASE = 0,
    parameter integer CLKOS_FPHASE = 0,
    parameter integer CLKOS2_FPHASE = 0,
    parameter integer CLKOS3_FPHASE = 0,
    parameter CLKOP_TRIM_POL = "RISING",
    parameter integer CLKOP_TRIM_DELAY = 0,
    parameter CLKOS_TRIM_POL = "RISING",
    parameter integer CLKOS_TRIM_DELAY = 0,
    parameter OUTDIVIDER_MUXA = "DIVA",
    parameter OUTDIVIDER_MUXB = "DIVB",
    parameter OUTDIVIDER_MUXC = "DIVC",
    parameter OUTDIVIDER_MUXD = "DIVD",
    parameter integer PLL_LOCK_MODE = 0,
    parameter PLL_LOCK_DELAY = 200,
    parameter STDBY_ENABLE = "DISABLED",
    parameter REFIN_RESET = "DISABLED",
    parameter SYNC_ENABLE = "DISABLED",
    parameter INT_LOCK_STICKY = "ENABLED",
    parameter DPHASE_SOURCE = "DISABLED",
    parameter PLLRST_ENA = "DISABLED",
    parameter INTFB_WAKE = "DISABLED",
    parameter FEEDBK_PATH = "CLKOP"
) (
    input CLKI,
    input CLKFB,
    input RST,
    input STDBY,
    input PHASESEL0,
    input PHASESEL1,
    input PHASEDIR,
    input PHASESTEP,
    input PHASELOADREG,
    input PLLWAKESYNC,
    input ENCLKOP,
    input ENCLKOS,
    input ENCLKOS2,
    input ENCLKOS3,
    output CLKOP,
    output CLKOS,
    output CLKOS2,
    output CLKOS3,
    output reg LOCK,
    output INTLOCK,
    output REFCLK,
    output CLKINTFB
);
    real edge_ns, vco_ns, first_ns, lock_ns;
    initial begin
        if (FEEDBK_PATH != "CLKOP") $fatal(1, "EHXPLLL: only feedback through CLKOP is modelled");
        edge_ns = -1;
        vco_ns = 0;
        first_ns = 0;
        LOCK = 0;
        if (!$value$plusargs("lock_ns=%f", lock_ns)) lock_ns = 1000;
    end
    always @(posedge CLKI) begin
        if (edge_ns >= 0) vco_ns = ($realtime - edge_ns) * CLKI_DIV / (CLKFB_DIV * CLKOP_DIV);
        if (vco_ns > 0 && first_ns == 0) first_ns = $realtime;
        edge_ns = $realtime;
        LOCK <= $realtime >= lock_ns && vco_ns >= 1.2499 && vco_ns <= 2.5001 && !RST;
    end
    trine_pll_output #(CLKOS_DIV) clkos (CLKI, vco_ns, first_ns, CLKOS);
    generate
        if (CLKOS2_ENABLE == "ENABLED") trine_pll_output #(CLKOS2_DIV) clkos2 (CLKI, vco_ns, first_ns, CLKOS2);
        else assign CLKOS2 = 0;
    endgenerate

    assign {CLKOS3, REFCLK, CLKINTFB} = 0;
    assign INTLOCK = LOCK;
endmodule
