// Behaviour of the iCE40's memories: the block RAM, SB_RAM40_4K, and the single-port RAM of the UltraPlus
// chips, SB_SPRAM256KA. Follows Lattice's FPGA-TN-02002 ("Memory Usage Guide for iCE40 Devices") and
// FPGA-TN-02022 ("iCE40 SPRAM Usage Guide").
//
// * A block RAM has 256 words of 16 bits. A port in mode 1, 2 or 3 sees 512, 1,024 or 2,048 words of 8, 4 or 2
//   bits: bits of equal distance in a word, the upper address bits say which. Bit k of the narrow word is at
//   the pin 2k, 4k + 1 or 8k + 3. Only ports of 16 bits have a mask: its bits keep what was there.
// * For some microseconds after configuration a block RAM reads zeros, whatever it holds (Project IceStorm,
//   issue 76). BLANK says how long, in nanoseconds; this needs a simulator whose time runs.
// * A single-port RAM has no contents at first: it starts with noise, which NUMBER decides. It reads or writes
//   at an edge with CHIPSELECT; each bit of MASKWREN enables four bits. What DATAOUT is after a write, in
//   standby and in sleep is not specified, and is noise here. POWEROFF is active low.

`timescale 1ns / 1ps

module trine_ice40_block_ram #(
    parameter READ_MODE = 0, WRITE_MODE = 0, BLANK = 3000,
    parameter [4095:0] INIT = 0
) (
    input rclk, rclke, re, wclk, wclke, we,
    input [10:0] raddr, waddr,
    input [15:0] mask, wdata,
    output reg [15:0] rdata
);
    localparam READ_STEP = 1 << READ_MODE, READ_PIN = READ_MODE == 0 ? 0 : READ_STEP / 2 - 1;
    localparam WRITE_STEP = 1 << WRITE_MODE, WRITE_PIN = WRITE_MODE == 0 ? 0 : WRITE_STEP / 2 - 1;
    reg [15:0] memory [0:255];
    wire [2:0] read_lane = raddr[10:8] & (READ_STEP - 1);
    wire [2:0] write_lane = waddr[10:8] & (WRITE_STEP - 1);
    wire [15:0] word = memory[raddr[7:0]];
    reg [15:0] written, read;
    integer k;

    initial begin
        rdata = 0;
        for (k = 0; k < 256; k = k + 1) memory[k] = INIT[16 * k +: 16];
    end
    always @* begin
        written = memory[waddr[7:0]];
        for (k = 0; k < 16; k = k + WRITE_STEP)
            if (WRITE_MODE != 0 || !mask[k]) written[k + write_lane] = wdata[k + WRITE_PIN];
    end
    always @* begin
        read = 0;
        for (k = 0; k < 16; k = k + READ_STEP) read[k + READ_PIN] = word[k + read_lane];
    end
    always @(posedge wclk) if (we && wclke) memory[waddr[7:0]] <= written;
    always @(posedge rclk) if (re && rclke) rdata <= $time < BLANK ? 16'h0 : read;
endmodule

module SB_RAM40_4K #(
    parameter READ_MODE = 0, WRITE_MODE = 0,
    parameter [255:0]
        INIT_0 = 256'h0, INIT_1 = 256'h0, INIT_2 = 256'h0, INIT_3 = 256'h0, INIT_4 = 256'h0, INIT_5 = 256'h0, INIT_6 = 256'h0, INIT_7 = 256'h0,
        INIT_8 = 256'h0, INIT_9 = 256'h0, INIT_A = 256'h0, INIT_B = 256'h0, INIT_C = 256'h0, INIT_D = 256'h0, INIT_E = 256'h0, INIT_F = 256'h0
) (
    input RCLK, RCLKE, RE, WCLK, WCLKE, WE,
    input [10:0] RADDR, WADDR,
    input [15:0] MASK, WDATA,
    output [15:0] RDATA
);
    trine_ice40_block_ram #(.READ_MODE(READ_MODE), .WRITE_MODE(WRITE_MODE), .INIT({
        INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
        INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
    })) ram (
        .rclk(RCLK), .rclke(RCLKE), .re(RE), .wclk(WCLK), .wclke(WCLKE), .we(WE),
        .raddr(RADDR), .waddr(WADDR), .mask(MASK), .wdata(WDATA), .rdata(RDATA)
    );
endmodule

module SB_RAM40_4KNR #(
    parameter READ_MODE = 0, WRITE_MODE = 0,
    parameter [255:0]
        INIT_0 = 256'h0, INIT_1 = 256'h0, INIT_2 = 256'h0, INIT_3 = 256'h0, INIT_4 = 256'h0, INIT_5 = 256'h0, INIT_6 = 256'h0, INIT_7 = 256'h0,
        INIT_8 = 256'h0, INIT_9 = 256'h0, INIT_A = 256'h0, INIT_B = 256'h0, INIT_C = 256'h0, INIT_D = 256'h0, INIT_E = 256'h0, INIT_F = 256'h0
) (
    input RCLKN, RCLKE, RE, WCLK, WCLKE, WE,
    input [10:0] RADDR, WADDR,
    input [15:0] MASK, WDATA,
    output [15:0] RDATA
);
    trine_ice40_block_ram #(.READ_MODE(READ_MODE), .WRITE_MODE(WRITE_MODE), .INIT({
        INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
        INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
    })) ram (
        .rclk(~RCLKN), .rclke(RCLKE), .re(RE), .wclk(WCLK), .wclke(WCLKE), .we(WE),
        .raddr(RADDR), .waddr(WADDR), .mask(MASK), .wdata(WDATA), .rdata(RDATA)
    );
endmodule

module SB_RAM40_4KNW #(
    parameter READ_MODE = 0, WRITE_MODE = 0,
    parameter [255:0]
        INIT_0 = 256'h0, INIT_1 = 256'h0, INIT_2 = 256'h0, INIT_3 = 256'h0, INIT_4 = 256'h0, INIT_5 = 256'h0, INIT_6 = 256'h0, INIT_7 = 256'h0,
        INIT_8 = 256'h0, INIT_9 = 256'h0, INIT_A = 256'h0, INIT_B = 256'h0, INIT_C = 256'h0, INIT_D = 256'h0, INIT_E = 256'h0, INIT_F = 256'h0
) (
    input RCLK, RCLKE, RE, WCLKN, WCLKE, WE,
    input [10:0] RADDR, WADDR,
    input [15:0] MASK, WDATA,
    output [15:0] RDATA
);
    trine_ice40_block_ram #(.READ_MODE(READ_MODE), .WRITE_MODE(WRITE_MODE), .INIT({
        INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
        INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
    })) ram (
        .rclk(RCLK), .rclke(RCLKE), .re(RE), .wclk(~WCLKN), .wclke(WCLKE), .we(WE),
        .raddr(RADDR), .waddr(WADDR), .mask(MASK), .wdata(WDATA), .rdata(RDATA)
    );
endmodule

module SB_RAM40_4KNRNW #(
    parameter READ_MODE = 0, WRITE_MODE = 0,
    parameter [255:0]
        INIT_0 = 256'h0, INIT_1 = 256'h0, INIT_2 = 256'h0, INIT_3 = 256'h0, INIT_4 = 256'h0, INIT_5 = 256'h0, INIT_6 = 256'h0, INIT_7 = 256'h0,
        INIT_8 = 256'h0, INIT_9 = 256'h0, INIT_A = 256'h0, INIT_B = 256'h0, INIT_C = 256'h0, INIT_D = 256'h0, INIT_E = 256'h0, INIT_F = 256'h0
) (
    input RCLKN, RCLKE, RE, WCLKN, WCLKE, WE,
    input [10:0] RADDR, WADDR,
    input [15:0] MASK, WDATA,
    output [15:0] RDATA
);
    trine_ice40_block_ram #(.READ_MODE(READ_MODE), .WRITE_MODE(WRITE_MODE), .INIT({
        INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
        INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
    })) ram (
        .rclk(~RCLKN), .rclke(RCLKE), .re(RE), .wclk(~WCLKN), .wclke(WCLKE), .we(WE),
        .raddr(RADDR), .waddr(WADDR), .mask(MASK), .wdata(WDATA), .rdata(RDATA)
    );
endmodule

module SB_SPRAM256KA #(
    parameter NUMBER = 0
) (
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] memory [0:16383];
    reg [31:0] noise;
    integer k;
    wire [15:0] kept = ~{{4{MASKWREN[3]}}, {4{MASKWREN[2]}}, {4{MASKWREN[1]}}, {4{MASKWREN[0]}}};

    initial begin
        noise = 32'h9e3779b9 * (NUMBER + 1);
        for (k = 0; k < 16384; k = k + 1) begin
            noise = noise * 1664525 + 1013904223;
            memory[k] = noise[31:16];
        end
        DATAOUT = noise[31:16];
    end
    always @(posedge CLOCK)
        if (SLEEP || !POWEROFF || STANDBY || (CHIPSELECT && WREN)) begin
            noise <= noise * 1664525 + 1013904223;
            DATAOUT <= noise[31:16];
            if (!SLEEP && POWEROFF && !STANDBY) memory[ADDRESS] <= memory[ADDRESS] & kept | DATAIN & ~kept;
        end else if (CHIPSELECT) DATAOUT <= memory[ADDRESS];
endmodule
