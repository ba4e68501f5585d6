// A ULPI PHY at its pins: it makes the clock, drives dir, nxt and, while dir is 1, the data, which the host is
// asked for cycle by cycle; and it sees what the board drives.
//
// In reset, and for 5 us after it, there is no clock. Then dir falls, after eight cycles. The PHY's outputs
// change 6 ns after the rising edge of its clock. Nobody drives the data in the cycle in which dir rises, and
// the PHY lets go of them for a moment between two cycles: pulled up, they must be ones then.
//
// Input: 0 f d m n: up to 256 m + n cycles with the levels f (dir in bit 0, nxt in bit 1) and the data d, until
// the board's data or its stp change. Anything else ends the simulation. Output, a line: cycles, the board's
// data at the end of the last one, 0 where dir is 1, its stp, and the rules broken so far: the board drives the
// data while dir is 1, or resets the PHY again.
// +cycle_ns=N: of the clock; +inverted=1: the lowest two wires of the data are exchanged.
`timescale 1ns / 1ps
module pin_host (
    output reg clk,
    output reg dir,
    output reg nxt,
    input stp,
    input rst,
    inout [7:0] data
);
    localparam [31:0] STDIN = 32'h8000_0000, STDOUT = 32'h8000_0001;
    localparam SILENT = 300, READY = SILENT + 8;
    reg inverted = 0;
    reg driving = 0;
    reg [7:0] out = 0;
    wire [7:0] put = inverted ? {out[7:2], out[0], out[1]} : out;
    wire [7:0] seen = inverted ? {data[7:2], data[0], data[1]} : data;
    assign data = driving ? put : 8'bz;
    pullup (data[0]);
    pullup (data[1]);
    pullup (data[2]);
    pullup (data[3]);
    pullup (data[4]);
    pullup (data[5]);
    pullup (data[6]);
    pullup (data[7]);

    real cycle_ns;
    integer command, flags, value, most, passed, changed;
    integer since = 0;  // cycles since the reset, up to READY
    integer errors = 0;
    reg held = 1;
    reg [8:0] last = 0, found;
    task cycle;
        begin
            if (rst) begin
                if (since == READY) errors = errors + 1;
                since = 0;
            end else if (since < READY) since = since + 1;
            clk = since > SILENT;
            held = dir;
            if (held) begin
                #2 driving = 0;
                #2 if (data != 8'hff) errors = errors + 1;
                #2;
            end else #6;
            dir = since == READY ? flags[0] : 1'b1;
            nxt = since == READY ? flags[1] : 1'b0;
            out = since == READY ? value[7:0] : 8'h00;
            driving = dir && held;
            #(cycle_ns / 2 - 6) clk = 0;
            #(cycle_ns / 2 - 1) found = since == READY ? {dir ? 8'h00 : seen, stp} : 9'h000;
            #1;
        end
    endtask
    initial begin
        clk = 0;
        dir = 1;
        nxt = 0;
        if (!$value$plusargs("cycle_ns=%f", cycle_ns)) $fatal(1, "+cycle_ns is needed");
        if (!$value$plusargs("inverted=%d", inverted)) inverted = 0;
        #1;
        forever begin
            command = $fgetc(STDIN);
            flags = $fgetc(STDIN);
            value = $fgetc(STDIN);
            most = 256 * $fgetc(STDIN);
            most = most + $fgetc(STDIN);
            if (command != 0) $finish;
            passed = 0;
            changed = 0;
            while (passed < most && !changed) begin
                cycle;
                passed = passed + 1;
                changed = found != last;
                last = found;
            end
            $fwrite(STDOUT, "%0d %0d %0d %0d\n", passed, found[8:1], found[0], errors);
            $fflush(STDOUT);
        end
    end
endmodule
