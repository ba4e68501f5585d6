// The other end of a UART. Bytes from standard input go to the board's rx, what comes from its tx to standard
// output.
//
// Input, two bytes each: 0 n: let n bit times pass, then say so; 1 b: send byte b; 2 n: hold rx at n[0] for n[7:1]
// eighths of a bit. Anything else ends the simulation. Output, a line each: "k" for each 0; "xx" for a byte in
// hexadecimal; "f" for one whose stop bit was low.
// +bit_ns=N: of a bit; +inverted=1: the wire to rx is inverted.
`timescale 1ns / 1ps
module pin_host (
    output rx,
    input tx
);
    localparam [31:0] STDIN = 32'h8000_0000, STDOUT = 32'h8000_0001;
    reg line = 1;
    reg inverted = 0;
    assign rx = line ^ inverted;

    real bit_ns;
    integer command, argument, index;
    initial begin
        if (!$value$plusargs("bit_ns=%f", bit_ns)) $fatal(1, "+bit_ns is needed");
        if (!$value$plusargs("inverted=%d", inverted)) inverted = 0;
    end
    initial begin
        #1;
        forever begin
            command = $fgetc(STDIN);
            argument = $fgetc(STDIN);
            case (command)
                0: begin
                    #(argument * bit_ns);
                    $fwrite(STDOUT, "k\n");
                    $fflush(STDOUT);
                end
                1: begin
                    line = 0;
                    #(bit_ns);
                    for (index = 0; index < 8; index = index + 1) begin
                        line = argument[index];
                        #(bit_ns);
                    end
                    line = 1;
                    #(bit_ns);
                end
                2: begin
                    line = argument[0];
                    #((argument >> 1) * bit_ns / 8);
                end
                default: $finish;
            endcase
        end
    end

    // The line is sampled sixteen times a bit. An event of tx itself would have Verilator schedule the whole
    // board as logic that drives a clock.
    reg sample = 0;
    always begin
        #(bit_ns / 32) sample = !sample;
    end
    reg [8:0] received;
    integer left = 0, samples = 0;
    always @(posedge sample) begin
        if (left == 0) begin
            if (!tx) begin
                left <= 10;
                samples <= 7;
            end
        end else if (samples > 0) samples <= samples - 1;
        else begin
            samples <= 15;
            left <= left - 1;
            received <= {tx, received[8:1]};
            if (left == 10 && tx) left <= 0;  // a glitch, no start bit
            if (left == 1) begin
                if (tx) $fwrite(STDOUT, "%02x\n", received[8:1]);
                else $fwrite(STDOUT, "f\n");
            end
        end
    end
endmodule
