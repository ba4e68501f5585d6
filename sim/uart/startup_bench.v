// A board from its configuration on: oscillator, PLL and gate as cells, and the other end of its UART.
//
// `STARTUP_BOARD is the instance of the board, with clk, rx and tx. The PLL gives its input as its output, at
// once: a cycle here is one of the engine's clock, and its divisors are checked in their own right.
//
// Input, three bytes each, of which the last two are n, low byte first: 0 n: let n bit times pass; 1 b: send byte
// b; 2 n: noise on the line for n bit times; 3 n: the PLL is locked, or not. The end of the input is the end.
// Output, a line each: "xx" for a byte in hexadecimal; "f" for one without its stop bit; "l n c": the lock became
// n in cycle c; "g c": the gate of the clock let the first edge through, or the first after a stop, in cycle c.
// +bit=N: cycles in a bit of the host's, a fraction; +inverted=1: the wire to rx is inverted.
`timescale 1ns / 1ps
module startup_bench (input clk);
    localparam [31:0] STDIN = 32'h8000_0000, STDOUT = 32'h8000_0001;
    reg line = 1, lock = 0, inverted = 0;
    wire tx, rx = line ^ inverted;
    `STARTUP_BOARD

    real bit_cycles, next = 0, hear = 0;
    integer cycle = 0, command = 0, argument = 0, left = 0, hearing = 0;
    reg [31:0] random = 32'd1;
    reg [8:0] heard;
    initial begin
        if (!$value$plusargs("bit=%f", bit_cycles)) $fatal(1, "+bit is needed");
        if (!$value$plusargs("inverted=%d", inverted)) inverted = 0;
    end

    always @(posedge clk) begin
        cycle = cycle + 1;
        random = {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
        if (left > 0 && command == 2 && random[5:0] < 3) line <= random[9];
        if (left == 0 || $itor(cycle) >= next) begin
            if (left == 0) begin
                command = $fgetc(STDIN);
                argument = $fgetc(STDIN);
                argument = argument | $fgetc(STDIN) << 8;
                if (next < $itor(cycle)) next = $itor(cycle);
                line <= 1;
                if (command == 1) begin
                    left = 10;
                    line <= 0;
                end else if (command == 0 || command == 2) left = argument;
                else if (command == 3) begin
                    lock <= argument[0];
                    $fwrite(STDOUT, "l %0d %0d\n", argument[0], cycle);
                end else $finish;
            end else begin
                left = left - 1;
                if (command == 1 && left > 0) line <= left == 1 ? 1'b1 : argument[9 - left];
                else if (command != 2) line <= 1;
            end
            if (left > 0) next = next + bit_cycles;
        end
    end

    always @(posedge clk)
        if (hearing == 0) begin
            if (!tx) begin
                hearing <= 10;
                hear = $itor(cycle) + bit_cycles / 2;
            end
        end else if ($itor(cycle) >= hear) begin
            hear = hear + bit_cycles;
            hearing <= hearing - 1;
            heard <= {tx, heard[8:1]};
            if (hearing == 1 && tx) $fwrite(STDOUT, "%02x\n", heard[8:1]);
            if (hearing == 1 && !tx) $fwrite(STDOUT, "f\n");
        end
endmodule

module EHXPLLL #(
    parameter PLLRST_ENA = "", INTFB_WAKE = "", STDBY_ENABLE = "", DPHASE_SOURCE = "", OUTDIVIDER_MUXA = "",
    parameter OUTDIVIDER_MUXB = "", FEEDBK_PATH = "", CLKOP_ENABLE = "", CLKOS_ENABLE = "",
    parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 1, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0,
    parameter CLKOS_DIV = 1, CLKOS_CPHASE = 0, CLKOS_FPHASE = 0
) (
    input RST, STDBY, CLKI, CLKFB, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
    output CLKOP, CLKOS, LOCK
);
    assign CLKOS = CLKI;
    assign CLKOP = 0;
    assign LOCK = startup_bench.lock;
endmodule

module DCCA (input CLKI, CE, output CLKO);
    reg open = 0, was_open = 0;
    always @(negedge CLKI) open <= CE;
    assign CLKO = CLKI & open;
    always @(posedge CLKI) begin
        was_open <= open;
        if (open && !was_open) $fwrite(32'h8000_0001, "g %0d\n", startup_bench.cycle);
    end
endmodule

module IB (input I, output O);
    assign O = I;
endmodule

module OB (input I, output O);
    assign O = I;
endmodule

module OBZ (input I, T, output O);
    assign O = T ? 1'bz : I;
endmodule

module SB_PLL40_PAD #(
    parameter FEEDBACK_PATH = "", PLLOUT_SELECT = "", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (
    input PACKAGEPIN, RESETB, BYPASS,
    output PLLOUTGLOBAL, LOCK
);
    assign PLLOUTGLOBAL = PACKAGEPIN;
    assign LOCK = startup_bench.lock;
endmodule

module SB_IO #(
    parameter [5:0] PIN_TYPE = 0, parameter PULLUP = 0, parameter IO_STANDARD = ""
) (
    inout PACKAGE_PIN,
    input D_OUT_0, OUTPUT_ENABLE,
    output D_IN_0
);
    assign D_IN_0 = PACKAGE_PIN;
    generate
        if (PIN_TYPE[5:2] == 4'b0110) assign PACKAGE_PIN = D_OUT_0;
        if (PIN_TYPE[5:2] == 4'b1010) assign PACKAGE_PIN = OUTPUT_ENABLE ? D_OUT_0 : 1'bz;
    endgenerate
endmodule
