// iCE40 cells around the core: the PLL, which Yosys has no model of, and pads without registers, of which its
// model needs a simulator that knows z.
// +lock_ns=N: time from the start of the simulation until a PLL reports that it has locked.
`timescale 1ns / 1ps

// PIN_TYPE[1:0] 01: input without a register; PIN_TYPE[5:2]: 0000 no output, 0110 output without a register,
// 1010 the same where OUTPUT_ENABLE is 1.
module SB_IO #(
    parameter [5:0] PIN_TYPE = 6'b000000,
    parameter [0:0] PULLUP = 1'b0,
    parameter [0:0] NEG_TRIGGER = 1'b0,
    parameter IO_STANDARD = "SB_LVCMOS"
) (
    inout PACKAGE_PIN,
    input LATCH_INPUT_VALUE,
    input CLOCK_ENABLE,
    input INPUT_CLK,
    input OUTPUT_CLK,
    input OUTPUT_ENABLE,
    input D_OUT_0,
    input D_OUT_1,
    output D_IN_0,
    output D_IN_1
);
    generate
        if (PIN_TYPE[1:0] != 2'b01 || (PIN_TYPE[5:2] != 4'b0110 && PIN_TYPE[5:2] != 4'b1010
            && PIN_TYPE[5:2] != 4'b0000)) begin
            initial $fatal(1, "SB_IO: PIN_TYPE %b is not modelled", PIN_TYPE);
        end
        if (PIN_TYPE[5:2] == 4'b0110) assign PACKAGE_PIN = D_OUT_0;
        if (PIN_TYPE[5:2] == 4'b1010) assign PACKAGE_PIN = OUTPUT_ENABLE ? D_OUT_0 : 1'bz;
    endgenerate
    assign D_IN_0 = PACKAGE_PIN;
    assign D_IN_1 = 0;
endmodule

// SIMPLE feedback alone. The output runs from the second edge of the input on, locked or not. It never locks
// with its oscillator outside the 533 to 1,066 MHz of Lattice FPGA-DS-02008.
module SB_PLL40_PAD #(
    parameter FEEDBACK_PATH = "SIMPLE",
    parameter DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED",
    parameter DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED",
    parameter SHIFTREG_DIV_MODE = 1'b0,
    parameter FDA_FEEDBACK = 4'b0000,
    parameter FDA_RELATIVE = 4'b0000,
    parameter PLLOUT_SELECT = "GENCLK",
    parameter [3:0] DIVR = 4'b0000,
    parameter [6:0] DIVF = 7'b0000000,
    parameter [2:0] DIVQ = 3'b000,
    parameter [2:0] FILTER_RANGE = 3'b000,
    parameter ENABLE_ICEGATE = 1'b0,
    parameter TEST_MODE = 1'b0,
    parameter EXTERNAL_DIVIDE_FACTOR = 1
) (
    input PACKAGEPIN,
    output PLLOUTCORE,
    output PLLOUTGLOBAL,
    input EXTFEEDBACK,
    input [7:0] DYNAMICDELAY,
    output reg LOCK,
    input BYPASS,
    input RESETB,
    input LATCHINPUTVALUE,
    output SDO,
    input SDI,
    input SCLK
);
    real edge_ns, vco_ns, lock_ns;
    reg made;
    initial begin
        if (FEEDBACK_PATH != "SIMPLE" || PLLOUT_SELECT != "GENCLK")
            $fatal(1, "SB_PLL40_PAD: only SIMPLE feedback and GENCLK are modelled");
        edge_ns = -1;
        vco_ns = 0;
        made = 0;
        LOCK = 0;
        if (!$value$plusargs("lock_ns=%f", lock_ns)) lock_ns = 1000;
    end
    always @(posedge PACKAGEPIN) begin
        if (edge_ns >= 0) vco_ns = ($realtime - edge_ns) * (DIVR + 1) / (DIVF + 1);
        edge_ns = $realtime;
        LOCK <= $realtime >= lock_ns && vco_ns >= 0.938 && vco_ns <= 1.8763 && RESETB;
    end
    always begin
        if (vco_ns > 0 && RESETB) #(vco_ns * (1 << DIVQ) / 2) made = !made;
        else @(posedge PACKAGEPIN);
    end
    assign PLLOUTCORE = BYPASS ? PACKAGEPIN : made;
    assign PLLOUTGLOBAL = PLLOUTCORE;
    assign SDO = 0;
endmodule

// The same PLL where its input is a signal within the chip.
module SB_PLL40_CORE #(
    parameter FEEDBACK_PATH = "SIMPLE",
    parameter DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED",
    parameter DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED",
    parameter SHIFTREG_DIV_MODE = 1'b0,
    parameter FDA_FEEDBACK = 4'b0000,
    parameter FDA_RELATIVE = 4'b0000,
    parameter PLLOUT_SELECT = "GENCLK",
    parameter [3:0] DIVR = 4'b0000,
    parameter [6:0] DIVF = 7'b0000000,
    parameter [2:0] DIVQ = 3'b000,
    parameter [2:0] FILTER_RANGE = 3'b000,
    parameter ENABLE_ICEGATE = 1'b0,
    parameter TEST_MODE = 1'b0,
    parameter EXTERNAL_DIVIDE_FACTOR = 1
) (
    input REFERENCECLK,
    output PLLOUTCORE,
    output PLLOUTGLOBAL,
    input EXTFEEDBACK,
    input [7:0] DYNAMICDELAY,
    output LOCK,
    input BYPASS,
    input RESETB,
    input LATCHINPUTVALUE,
    output SDO,
    input SDI,
    input SCLK
);
    SB_PLL40_PAD #(
        .FEEDBACK_PATH(FEEDBACK_PATH),
        .PLLOUT_SELECT(PLLOUT_SELECT),
        .DIVR(DIVR),
        .DIVF(DIVF),
        .DIVQ(DIVQ)
    ) pll (
        .PACKAGEPIN(REFERENCECLK),
        .PLLOUTCORE(PLLOUTCORE),
        .PLLOUTGLOBAL(PLLOUTGLOBAL),
        .EXTFEEDBACK(EXTFEEDBACK),
        .DYNAMICDELAY(DYNAMICDELAY),
        .LOCK(LOCK),
        .BYPASS(BYPASS),
        .RESETB(RESETB),
        .LATCHINPUTVALUE(LATCHINPUTVALUE),
        .SDO(SDO),
        .SDI(SDI),
        .SCLK(SCLK)
    );
endmodule
