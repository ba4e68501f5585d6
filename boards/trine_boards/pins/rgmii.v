// A PHY of Ethernet at 1 Gbit/s behind RGMII, and the wire behind that: it sends frames to the board and tells
// those that come from it. A byte of the wire takes 7.999 ns, 0.0125 % less than nominal. Between frames the
// board sees the status of the link: up, 1 Gbit/s, full duplex. In reset there is no clock.
//
// Input: 0 m n: let up to 256 m + n byte times pass, and end when a frame of the board does; 1 m n and
// 256 m + n bytes: send them, then rest for 12 byte times. Anything else ends the simulation. Output, a line
// each: "k passed reset" for each command, the byte times that have passed and whether the PHY is in reset;
// "f gap unsteady errors bytes" for a frame of the board: byte times since the frame before, at most 4095, edges
// of the clock since then around which data was not steady, bytes with tx_er since then, and its bytes in
// hexadecimal, preamble and all.
// +rx_ns=N, +tx_ns=N: by which the PHY delays the clock that it sends, and the one that it receives;
// +inverted=1: its nibbles are exchanged.
`timescale 1ns / 1ps
module pin_host (
    output reg rx_clk,
    output reg rx_ctl,
    output reg [3:0] rx_data,
    input tx_clk,
    input tx_ctl,
    input [3:0] tx_data,
    input rst
);
    localparam [31:0] STDIN = 32'h8000_0000, STDOUT = 32'h8000_0001;
    localparam [3:0] STATUS = 4'b1101;
    // At the receiver (RGMII 2.0, TsetupR and TholdR).
    localparam real SETUP_NS = 1.0, HOLD_NS = 1.0;
    localparam LONGEST = 4095, GAP = 12;
    real rx_ns, tx_ns;
    reg inverted = 0;

    // To the board: data changes with the edges of a clock that the board has later.
    reg launched = 0;
    integer passed = 0;
    always @(posedge launched or negedge launched) rx_clk <= #(rx_ns) launched;
    task byte_time(input valid, input [7:0] data);
        begin
            rx_ctl = rst && valid;
            rx_data = !rst ? 4'd0 : !valid ? STATUS : inverted ? data[7:4] : data[3:0];
            launched = rst;
            #4.0;
            rx_data = !rst ? 4'd0 : !valid ? STATUS : inverted ? data[3:0] : data[7:4];
            launched = 0;
            #3.999;
            passed = passed + 1;
        end
    endtask

    // From the board.
    reg [7:0] bytes[0:LONGEST];
    reg edge_seen = 0, enabled = 0, control;
    reg [3:0] first, nibble;
    integer count = 0, gap = LONGEST, unsteady = 0, errors = 0, ended = 0, index;
    realtime changed = -1;
    always begin
        @(tx_ctl or tx_data);
        changed = $realtime;
    end
    always @(posedge tx_clk or negedge tx_clk) edge_seen <= #(tx_ns + HOLD_NS) tx_clk;
    always @(posedge edge_seen or negedge edge_seen) begin
        {control, nibble} = {tx_ctl, tx_data};
        if ($realtime - changed < SETUP_NS + HOLD_NS - 0.0005) begin
            unsteady = unsteady + 1;
            {control, nibble} = $urandom;
        end
        if (edge_seen) {enabled, first} = {control, nibble};
        else begin
            errors = errors + (enabled != control);
            if (enabled) begin
                bytes[count] = inverted ? {first, nibble} : {nibble, first};
                if (count < LONGEST) count = count + 1;
            end
            else begin
                if (count > 0) begin
                    $fwrite(STDOUT, "f %0d %0d %0d ", gap, unsteady, errors);
                    for (index = 0; index < count; index = index + 1) $fwrite(STDOUT, "%02x", bytes[index]);
                    $fwrite(STDOUT, "\n");
                    {count, gap, unsteady, errors} = 0;
                    ended = 1;
                end
                if (gap < LONGEST) gap = gap + 1;
            end
        end
    end

    integer command, size;
    reg [7:0] next;
    initial begin
        if (!$value$plusargs("rx_ns=%f", rx_ns)) $fatal(1, "+rx_ns is needed");
        if (!$value$plusargs("tx_ns=%f", tx_ns)) $fatal(1, "+tx_ns is needed");
        if (!$value$plusargs("inverted=%d", inverted)) inverted = 0;
        {rx_clk, rx_ctl, rx_data} = 0;
        #1;
        forever begin
            command = $fgetc(STDIN);
            size = 256 * $fgetc(STDIN);
            size = size + $fgetc(STDIN);
            passed = 0;
            case (command)
                0: begin
                    ended = 0;
                    while (passed < size && !ended) byte_time(0, 0);
                end
                1: begin
                    while (passed < size) begin
                        next = $fgetc(STDIN);
                        byte_time(1, next);
                    end
                    while (passed < size + GAP) byte_time(0, 0);
                end
                default: $finish;
            endcase
            $fwrite(STDOUT, "k %0d %0d\n", passed, !rst);
            $fflush(STDOUT);
        end
    end
endmodule
