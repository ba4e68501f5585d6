// Behaviour of a Gowin chip's block RAM with one port to write and one to read: SDPB with bytes of 8 bits, and
// SDPX9B with bytes of 9. Follows Gowin UG285 ("BSRAM & SSRAM User Guide").
//
// * It has 2,048 bytes. An address counts the bits of SDPB, and an eighth of a byte of SDPX9B; a port of several
//   bytes leaves out the lowest bits, and that which writes has in them which bytes are written.
// * In bypass mode the word is there after the edge of the clock with its enable.
// * What is read while it is written is not specified, and is noise here.

`timescale 1ns / 1ps

module trine_gowin_block_ram #(
    parameter BYTE = 9, WRITTEN = 36, READ = 36,
    parameter [2048 * BYTE - 1:0] INIT = 0
) (
    input wclk, wce, rclk, rce,
    input [13:0] waddr, raddr,
    input [4 * BYTE - 1:0] wdata,
    output reg [4 * BYTE - 1:0] rdata
);
    localparam WRITTEN_BYTES = WRITTEN < 8 ? 1 : WRITTEN / BYTE, READ_BYTES = READ < 8 ? 1 : READ / BYTE;
    reg [BYTE - 1:0] memory [0:2047];
    reg [31:0] noise;
    wire [10:0] wfirst = waddr[13:3] & ~11'(WRITTEN_BYTES - 1), rfirst = raddr[13:3] & ~11'(READ_BYTES - 1);
    // Of words within a byte: whether any bit is in both.
    wire [3:0] wbit = {1'b0, waddr[2:0] & ~3'(WRITTEN - 1)}, rbit = {1'b0, raddr[2:0] & ~3'(READ - 1)};
    wire bits_meet = WRITTEN >= 8 || READ >= 8 || (wbit < rbit + 4'(READ) && rbit < wbit + 4'(WRITTEN));
    integer k;

    initial begin
        noise = 32'h9e3779b9;
        rdata = 0;
        for (k = 0; k < 2048; k = k + 1) memory[k] = INIT[BYTE * k +: BYTE];
        if ((WRITTEN >= 8 && WRITTEN != BYTE * WRITTEN_BYTES) || (READ >= 8 && READ != BYTE * READ_BYTES))
            $fatal(1, "a block RAM of %0d and %0d bits is not modelled", WRITTEN, READ);
    end
    always @(posedge wclk) if (wce)
        for (k = 0; k < WRITTEN_BYTES; k = k + 1)
            if (WRITTEN < 8)
                memory[wfirst][waddr[2:0] & ~3'(WRITTEN - 1) +: WRITTEN < 8 ? WRITTEN : 1]
                    <= wdata[(WRITTEN < 8 ? WRITTEN : 1) - 1:0];
            else if (WRITTEN_BYTES == 1 || waddr[k]) memory[wfirst + 11'(k)] <= wdata[BYTE * k +: BYTE];
    always @(posedge rclk) if (rce) begin
        noise <= noise * 1664525 + 1013904223;
        for (k = 0; k < READ_BYTES; k = k + 1)
            if (wce && rfirst + 11'(k) >= wfirst && rfirst + 11'(k) < wfirst + 11'(WRITTEN_BYTES) && bits_meet)
                rdata[BYTE * k +: BYTE] <= noise[31 -: BYTE];
            else if (READ < 8)
                rdata[(READ < 8 ? READ : 1) - 1:0]
                    <= memory[rfirst][raddr[2:0] & ~3'(READ - 1) +: READ < 8 ? READ : 1];
            else rdata[BYTE * k +: BYTE] <= memory[rfirst + 11'(k)];
    end
endmodule

module SDPB #(
    parameter READ_MODE = 0, BIT_WIDTH_0 = 32, BIT_WIDTH_1 = 32,
    parameter [2:0] BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000,
    parameter RESET_MODE = "SYNC",
    parameter [255:0]
        INIT_RAM_00 = 256'h0, INIT_RAM_01 = 256'h0, INIT_RAM_02 = 256'h0, INIT_RAM_03 = 256'h0, INIT_RAM_04 = 256'h0, INIT_RAM_05 = 256'h0, INIT_RAM_06 = 256'h0, INIT_RAM_07 = 256'h0,
        INIT_RAM_08 = 256'h0, INIT_RAM_09 = 256'h0, INIT_RAM_0A = 256'h0, INIT_RAM_0B = 256'h0, INIT_RAM_0C = 256'h0, INIT_RAM_0D = 256'h0, INIT_RAM_0E = 256'h0, INIT_RAM_0F = 256'h0,
        INIT_RAM_10 = 256'h0, INIT_RAM_11 = 256'h0, INIT_RAM_12 = 256'h0, INIT_RAM_13 = 256'h0, INIT_RAM_14 = 256'h0, INIT_RAM_15 = 256'h0, INIT_RAM_16 = 256'h0, INIT_RAM_17 = 256'h0,
        INIT_RAM_18 = 256'h0, INIT_RAM_19 = 256'h0, INIT_RAM_1A = 256'h0, INIT_RAM_1B = 256'h0, INIT_RAM_1C = 256'h0, INIT_RAM_1D = 256'h0, INIT_RAM_1E = 256'h0, INIT_RAM_1F = 256'h0,
        INIT_RAM_20 = 256'h0, INIT_RAM_21 = 256'h0, INIT_RAM_22 = 256'h0, INIT_RAM_23 = 256'h0, INIT_RAM_24 = 256'h0, INIT_RAM_25 = 256'h0, INIT_RAM_26 = 256'h0, INIT_RAM_27 = 256'h0,
        INIT_RAM_28 = 256'h0, INIT_RAM_29 = 256'h0, INIT_RAM_2A = 256'h0, INIT_RAM_2B = 256'h0, INIT_RAM_2C = 256'h0, INIT_RAM_2D = 256'h0, INIT_RAM_2E = 256'h0, INIT_RAM_2F = 256'h0,
        INIT_RAM_30 = 256'h0, INIT_RAM_31 = 256'h0, INIT_RAM_32 = 256'h0, INIT_RAM_33 = 256'h0, INIT_RAM_34 = 256'h0, INIT_RAM_35 = 256'h0, INIT_RAM_36 = 256'h0, INIT_RAM_37 = 256'h0,
        INIT_RAM_38 = 256'h0, INIT_RAM_39 = 256'h0, INIT_RAM_3A = 256'h0, INIT_RAM_3B = 256'h0, INIT_RAM_3C = 256'h0, INIT_RAM_3D = 256'h0, INIT_RAM_3E = 256'h0, INIT_RAM_3F = 256'h0
) (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input [13:0] ADA, ADB,
    input [2:0] BLKSELA, BLKSELB,
    input [31:0] DI,
    output [31:0] DO
);
    trine_gowin_block_ram #(.BYTE(8), .WRITTEN(BIT_WIDTH_0), .READ(BIT_WIDTH_1), .INIT({
        INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
        INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
        INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
        INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
        INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
        INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
        INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
        INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
    })) ram (
        .wclk(CLKA), .wce(CEA && BLKSELA == BLK_SEL_0), .waddr(ADA), .wdata(DI),
        .rclk(CLKB), .rce(CEB && BLKSELB == BLK_SEL_1), .raddr(ADB), .rdata(DO)
    );
    initial if (READ_MODE != 0) $fatal(1, "SDPB: its output register is not modelled");
    always @(posedge CLKB) if (RESETB) $fatal(1, "SDPB: a reset of its output is not modelled");
endmodule

module SDPX9B #(
    parameter READ_MODE = 0, BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36,
    parameter [2:0] BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000,
    parameter RESET_MODE = "SYNC",
    parameter [287:0]
        INIT_RAM_00 = 288'h0, INIT_RAM_01 = 288'h0, INIT_RAM_02 = 288'h0, INIT_RAM_03 = 288'h0, INIT_RAM_04 = 288'h0, INIT_RAM_05 = 288'h0, INIT_RAM_06 = 288'h0, INIT_RAM_07 = 288'h0,
        INIT_RAM_08 = 288'h0, INIT_RAM_09 = 288'h0, INIT_RAM_0A = 288'h0, INIT_RAM_0B = 288'h0, INIT_RAM_0C = 288'h0, INIT_RAM_0D = 288'h0, INIT_RAM_0E = 288'h0, INIT_RAM_0F = 288'h0,
        INIT_RAM_10 = 288'h0, INIT_RAM_11 = 288'h0, INIT_RAM_12 = 288'h0, INIT_RAM_13 = 288'h0, INIT_RAM_14 = 288'h0, INIT_RAM_15 = 288'h0, INIT_RAM_16 = 288'h0, INIT_RAM_17 = 288'h0,
        INIT_RAM_18 = 288'h0, INIT_RAM_19 = 288'h0, INIT_RAM_1A = 288'h0, INIT_RAM_1B = 288'h0, INIT_RAM_1C = 288'h0, INIT_RAM_1D = 288'h0, INIT_RAM_1E = 288'h0, INIT_RAM_1F = 288'h0,
        INIT_RAM_20 = 288'h0, INIT_RAM_21 = 288'h0, INIT_RAM_22 = 288'h0, INIT_RAM_23 = 288'h0, INIT_RAM_24 = 288'h0, INIT_RAM_25 = 288'h0, INIT_RAM_26 = 288'h0, INIT_RAM_27 = 288'h0,
        INIT_RAM_28 = 288'h0, INIT_RAM_29 = 288'h0, INIT_RAM_2A = 288'h0, INIT_RAM_2B = 288'h0, INIT_RAM_2C = 288'h0, INIT_RAM_2D = 288'h0, INIT_RAM_2E = 288'h0, INIT_RAM_2F = 288'h0,
        INIT_RAM_30 = 288'h0, INIT_RAM_31 = 288'h0, INIT_RAM_32 = 288'h0, INIT_RAM_33 = 288'h0, INIT_RAM_34 = 288'h0, INIT_RAM_35 = 288'h0, INIT_RAM_36 = 288'h0, INIT_RAM_37 = 288'h0,
        INIT_RAM_38 = 288'h0, INIT_RAM_39 = 288'h0, INIT_RAM_3A = 288'h0, INIT_RAM_3B = 288'h0, INIT_RAM_3C = 288'h0, INIT_RAM_3D = 288'h0, INIT_RAM_3E = 288'h0, INIT_RAM_3F = 288'h0
) (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input [13:0] ADA, ADB,
    input [2:0] BLKSELA, BLKSELB,
    input [35:0] DI,
    output [35:0] DO
);
    trine_gowin_block_ram #(.BYTE(9), .WRITTEN(BIT_WIDTH_0), .READ(BIT_WIDTH_1), .INIT({
        INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
        INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
        INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
        INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
        INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
        INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
        INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
        INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
    })) ram (
        .wclk(CLKA), .wce(CEA && BLKSELA == BLK_SEL_0), .waddr(ADA), .wdata(DI),
        .rclk(CLKB), .rce(CEB && BLKSELB == BLK_SEL_1), .raddr(ADB), .rdata(DO)
    );
    initial if (READ_MODE != 0) $fatal(1, "SDPX9B: its output register is not modelled");
    always @(posedge CLKB) if (RESETB) $fatal(1, "SDPX9B: a reset of its output is not modelled");
endmodule
