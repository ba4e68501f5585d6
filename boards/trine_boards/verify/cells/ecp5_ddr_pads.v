// ECP5 cells in a pad that Yosys has no model of: fixed delay, and registers of double data rate.
// Processes name edges: one that is sensitive to a level would be simulated as combinational logic.
`timescale 1ns / 1ps

// Taps of 25 ps, typical (Lattice FPGA-DS-02012). DEL_MODE gives their number where there is no DEL_VALUE, as
// nextpnr has it (ecp5/pack.cc, lookup_delay).
module DELAYG #(
    parameter DEL_MODE = "USER_DEFINED",
    parameter integer DEL_VALUE = -1
) (
    input A,
    output Z
);
    localparam integer MODE_TAPS =
        DEL_MODE == "USER_DEFINED" ? 0 : DEL_MODE == "SCLK_CENTERED" ? 39 :
        DEL_MODE == "SCLK_ALIGNED" ? 50 : DEL_MODE == "SCLK_ZEROHOLD" ? 59 : 128;
    localparam integer TAPS = DEL_VALUE < 0 ? MODE_TAPS : DEL_VALUE;
    localparam real DELAY_NS = TAPS * 0.025;
    initial if (TAPS > 127) $fatal(1, "DELAYG: DEL_MODE or DEL_VALUE is not modelled");
    generate
        if (TAPS == 0) assign Z = A;
        else begin
            reg late;
            always begin
                late <= #(DELAY_NS) A;
                @(A);
            end
            assign Z = late;
        end
    endgenerate
endmodule

// D0 while SCLK is high, then D1, both taken at the rising edge before (Lattice FPGA-TN-02035). The cycles
// between are as many for every pin, and are left out.
module ODDRX1F #(
    parameter GSR = "ENABLED"
) (
    input D0,
    input D1,
    input SCLK,
    input tri0 RST,
    output reg Q
);
    reg second = 0;
    initial Q = 0;
    always @(posedge SCLK or negedge SCLK) begin
        if (SCLK) begin
            Q <= RST ? 1'b0 : D0;
            second <= RST ? 1'b0 : D1;
        end
        else Q <= second;
    end
endmodule

// Q0 is D at a rising edge and Q1 at the falling one behind it, both from the next rising edge on (Lattice
// FPGA-TN-02035).
//
// SCLK arrives at a pad late by its way through the chip. That is taken to be as long as the delay that Lattice
// gives to data with a centred clock to make up for it: the 39 taps of SCLK_CENTERED. Data that is not steady
// around the edge for the setup and hold time of such an interface (FPGA-DS-02012, GDDRX1_RX.SCLK.Centered)
// is taken as noise.
module IDDRX1F #(
    parameter GSR = "ENABLED"
) (
    input D,
    input SCLK,
    input tri0 RST,
    output reg Q0,
    output reg Q1
);
    localparam real CLOCK_NS = 39 * 0.025, SETUP_NS = 0.52, HOLD_NS = 0.52;
    reg edge_seen = 0, rising = 0, falling = 0, taken;
    realtime changed = -1;
    initial {Q0, Q1} = 2'b00;
    always @(posedge D or negedge D) changed = $realtime;
    always @(posedge SCLK or negedge SCLK) edge_seen <= #(CLOCK_NS + HOLD_NS) SCLK;
    always @(posedge edge_seen or negedge edge_seen) begin
        taken = $realtime - changed < SETUP_NS + HOLD_NS - 0.0005 ? $urandom : D;
        if (edge_seen) begin
            rising <= RST ? 1'b0 : taken;
            Q0 <= RST ? 1'b0 : rising;
            Q1 <= RST ? 1'b0 : falling;
        end
        else falling <= RST ? 1'b0 : taken;
    end
endmodule
