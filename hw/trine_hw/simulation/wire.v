// A UART's other end: bytes from standard input go to the board's pin, what comes from it to standard output.
//
// Input, two bytes each: 0 n: let n bit times pass, then say so; 1 b: send byte b; 2 n: reset for n cycles.
// Output, a line each: "k" for each 0, "b" while the board is busy, "xx" for a byte in hexadecimal.
`timescale 1ns / 1ps
module wire_bench #(parameter DIVISOR = 8) (input clk);
    localparam [31:0] STDIN = 32'h8000_0000, STDOUT = 32'h8000_0001;
    reg rst = 1, rx = 1;
    wire tx, busy;
    top board (.clk(clk), .rst(rst), .rx(rx), .tx(tx), .busy(busy),
               .lock_lost(1'b0));

    integer command, argument;
    integer wait_cycles = 4;
    reg tell = 0;
    reg [9:0] out_bits = 10'h3ff;
    integer out_left = 0, out_timer = 0;
    always @(posedge clk) begin
        rst <= 0;
        if (wait_cycles > 0) begin
            wait_cycles <= wait_cycles - 1;
            rst <= rst && wait_cycles > 1;
            if (wait_cycles == 1 && tell) begin
                if (busy) $fwrite(STDOUT, "b\n");
                else $fwrite(STDOUT, "k\n");
                $fflush(STDOUT);
                tell <= 0;
            end
        end else if (out_left > 0) begin
            if (out_timer == 0) begin
                rx <= out_bits[0];
                out_bits <= {1'b1, out_bits[9:1]};
            end
            if (out_timer == DIVISOR - 1) begin
                out_timer <= 0;
                out_left <= out_left - 1;
            end else out_timer <= out_timer + 1;
        end else begin
            command = $fgetc(STDIN);
            argument = $fgetc(STDIN);
            case (command)
                0: begin
                    wait_cycles <= argument * DIVISOR;
                    tell <= 1;
                end
                1: begin
                    out_bits <= {1'b1, argument[7:0], 1'b0};
                    out_left <= 10;
                end
                2: begin
                    wait_cycles <= argument;
                    rst <= 1;
                end
                default: $finish;
            endcase
        end
    end

    reg [8:0] in_bits = 0;
    integer in_left = 0, in_timer = 0;
    always @(posedge clk)
        if (in_left == 0) begin
            if (!tx) begin
                in_left <= 9;
                in_timer <= DIVISOR + DIVISOR / 2 - 1;
            end
        end else if (in_timer > 1) in_timer <= in_timer - 1;
        else begin
            in_timer <= DIVISOR;
            in_left <= in_left - 1;
            in_bits <= {tx, in_bits[8:1]};
            if (in_left == 1) $fwrite(STDOUT, "%02x\n", in_bits[8:1]);
        end
endmodule
